"""What is asked after CMD: the opt-in after a success, help after a failure. No answer is no."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from agent.base.owner import ActingAsOwner
from agent.events.catalogue import EMAIL
from agent.wrapper.person import terminal

if TYPE_CHECKING:
    from agent.config.situation import Situation
    from agent.wrapper.person.terminal import Terminal

SECONDS = 60.0
TRIES = 3
OPT_IN = "{name}: share anonymous usage data with {product}? [y/N] "
HELP = "{name}: An e-mail, if you would like help (Enter to skip; it ties this report to you): "
YES = frozenset(("y", "yes"))
NO = frozenset(("n", "no"))


def after_success(situation: Situation, seconds: float = SECONDS) -> None:
    """Ask for the opt-in, once an instance, and keep the answer in docker.env."""
    if situation.settings.usage_telemetry != "ask" or _asked_before(situation):
        return
    person = terminal.attended(seconds)
    if person is None:
        return
    _remember_asking(situation)
    question = OPT_IN.format(name=situation.name, product=_printable(situation.settings.product))
    answer = _listen(person, question)
    if answer.lower() in YES | NO:
        _keep("on" if answer.lower() in YES else "off", person)


def after_failure(situation: Situation, reference: str, seconds: float = SECONDS) -> str:
    """The address to ask for help with; empty if none was given."""
    person = terminal.attended(seconds)
    if person is None:
        return ""
    question = HELP.format(name=situation.name)
    for _ in range(TRIES):
        answer = _listen(person, question)
        if not answer:
            return ""
        if re.fullmatch(EMAIL, answer):
            person.say(f"{situation.name}: thank you; please quote {reference}\n")
            return answer
        question = f"{situation.name}: that is no e-mail address; another try, or Enter to skip: "
    person.say(f"{situation.name}: no help was asked for; later: {situation.name} support\n")
    return ""


def _listen(person: Terminal, question: str) -> str:
    try:
        try:
            terminal.let_signals_end_it()
            return person.ask(question)
        finally:
            terminal.hold_signals_again()
    except (terminal.Silence, OSError):
        terminal.hold_signals_again()  # the one that ended it may have come before they were held
        return ""


def _asked_before(situation: Situation) -> bool:
    return os.path.lexists(situation.state.asked)


def _remember_asking(situation: Situation) -> None:
    with ActingAsOwner(situation.state):
        os.close(os.open(situation.state.asked, os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _keep(choice: str, person: Terminal) -> None:
    """Let the verb write docker.env: it knows which, and keeps the rest of it as it is."""
    verb = [sys.executable, "-I", "-m", "agent", "consent", "usage", choice]
    told = subprocess.run(verb, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    person.say(told.stderr)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)

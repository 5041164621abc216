"""What is asked after CMD: the opt-in after a success, help after a failure. No answer is no."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.base.files import read_small
from agent.base.messages import printable
from agent.base.owner import ActingAsOwner
from agent.wrapper.person import terminal
from agent.wrapper.person.email import ask_for_email

if TYPE_CHECKING:
    from agent.config.situation import Situation
    from agent.wrapper.person.terminal import Terminal

SECONDS = 60.0
MAX_BYTES = 16
OPT_IN = "{name}: share pseudonymous usage data with {product}? [y/N] "
WIDENED = "{name}: the usage data of {product} says more than you agreed to; share it? [y/N] "
YES = frozenset(("y", "yes"))
NO = frozenset(("n", "no"))


def ask_for_usage(situation: Situation, seconds: float = SECONDS) -> None:
    """Ask for the opt-in, once for each version of the usage events; keep the answer in docker.env."""
    settings = situation.settings
    if not settings.usage_open or _asked_up_to(situation) >= settings.usage_version:
        return
    person = terminal.open_terminal(seconds)
    if person is None:
        return
    _remember_asking(situation)
    question = WIDENED if settings.usage_widened else OPT_IN
    question = question.format(name=situation.name, product=printable(settings.product))
    answer = _read_answer(person, question)
    if answer.lower() in YES | NO:
        _store_choice("on" if answer.lower() in YES else "off", situation, person)


def ask_for_help(situation: Situation, reference: str, seconds: float = SECONDS) -> str:
    """The address to ask for help with; empty if none was given."""
    person = terminal.open_terminal(seconds)
    if person is None:
        return ""
    email = ask_for_email(situation.name, lambda question: _read_answer(person, question))
    if email:
        with suppress(OSError):  # the terminal is gone, and the address is not
            person.show(f"{situation.name}: thank you; please quote {reference}\n")
    elif email is None:
        person.show(f"{situation.name}: no help is requested; to ask later: {situation.command} support\n")
    return email or ""


def _read_answer(person: Terminal, question: str) -> str:
    try:
        try:
            terminal.unblock_signals()
            return person.read_answer(question)
        finally:
            terminal.block_signals()
    except (terminal.NoAnswer, OSError):
        terminal.block_signals()  # the one that ended it may have come before they were blocked
        return ""


def _asked_up_to(situation: Situation) -> int:
    """The version that was asked about last; 0 if none was. An older release left the file empty."""
    try:
        return int(read_small(situation.state.asked, MAX_BYTES) or b"1")
    except FileNotFoundError:
        return 0
    except (OSError, ValueError):
        return 1


def _remember_asking(situation: Situation) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with ActingAsOwner(situation.state), open(os.open(situation.state.asked, flags, 0o600), "wb") as file:
        file.write(b"%d\n" % situation.settings.usage_version)


def _store_choice(choice: str, situation: Situation, person: Terminal) -> None:
    """Let the verb write docker.env: it knows which, and keeps the rest of it as it is."""
    verb = [sys.executable, "-I", "-m", "agent", "consent", "usage", choice]
    told = subprocess.run(
        verb,
        env=situation.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    person.show(told.stderr)

"""What the operator is told before anything is sent: what is reported, how to see it, how to stop it."""

from __future__ import annotations

import os

from agent.base.messages import printable
from agent.config.access import access_problem
from agent.config.settings import DEFAULT_PRODUCT
from agent.events.shown import NEWEST, note_beginning, note_shown, read_shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.config.situation import Situation

FULL = """\
{product} reports how this installation goes: that it started, and whether it succeeded or failed.
A report is pseudonymous: it has a random id, the name and version of the product and of the operating
system, the duration, whether this is production, and, after a failure, exit codes, the base name of
the script, the line and the name of the program that failed. It has no host name, path, argument or
IP address.
To see every byte: {command} preview    To see what was sent: {command} log
To turn it off: {command} disable, or set DO_NOT_TRACK=1 in the environment. Nothing has been sent yet.
"""
SHORT = (
    "{name}: {product} reports this installation's outcome;"
    " to see it: {command} preview; to turn it off: {command} disable\n"
)
OWN_STATE = (
    "{name}: this run is reported under an id of your own user, not under the service's;"
    " to report it as this machine's: sudo {command} wrap\n"
)
NEWS = "New in these reports since you were last told, and sent from now on:\n"
CANNOT_SEND = "{name}: it is recorded, but cannot be sent yet: {problem}\n"


def show_notice(situation: Situation) -> None:
    """Write the notice, in one piece. OSError if nobody can have seen it.

    In full the first time on a terminal, else as one line.
    """
    marker = situation.state.notice
    full = os.isatty(2) and not os.path.lexists(marker)
    text = FULL if full else SHORT
    chosen = "ROLLCALL_STATE_DIR" in situation.settings.sources
    if situation.uid != 0 and situation.service_state and not chosen:
        text += OWN_STATE
    problem = access_problem(situation.settings) if situation.settings.endpoint else None
    if problem:
        text += CANNOT_SEND
    text = text.format(
        product=_product(situation, begins=full),
        name=situation.name,
        command=situation.command,
        problem=printable(problem or ""),
    )
    shown = read_shown(situation.state)
    news = os.isatty(2) and shown != NEWEST
    if news:
        text += _news(shown)
    data = text.encode("utf-8", "replace")
    if os.write(2, data) != len(data):
        raise OSError(28, "the notice could not be shown")
    try:
        if news:
            note_shown(situation.state)
        else:
            note_beginning(situation.state)
    except OSError:
        pass  # what is new stays unsent until it is shown again
    if full:
        _remember(marker, situation)


def _news(shown: int) -> str:
    """What this version of the catalogue has that the operator was not shown; sent from now on."""
    from agent.events.additions import additions  # slow to import, and needed once after an upgrade

    return NEWS + "".join(f"  {one}\n" for one in additions(shown))


def _product(situation: Situation, *, begins: bool) -> str:
    """Who reports. Where no product was named, the default is our own name: "rollcall: rollcall reports"."""
    product = situation.settings.product
    if product == DEFAULT_PRODUCT:
        return "This software" if begins else "this software"
    return printable(product)


def _remember(marker: str, situation: Situation) -> None:
    from agent.base.owner import ActingAsOwner

    try:
        with ActingAsOwner(situation.state):
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError:
        pass  # it will be shown in full once more

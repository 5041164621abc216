"""What the operator is told before anything is sent: what is reported, how to see it, how to stop it."""

from __future__ import annotations

import os

from agent.base.messages import printable
from agent.config.access import access_problem
from agent.config.settings import DEFAULT_PRODUCT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.config.situation import Situation

FULL = """\
{product} reports how this installation goes: that it started, and whether it succeeded or failed.
A report has a random id, the name and version of the product and of the operating system, the duration
and, after a failure, the exit code, the base name of the script, the line and the name of the program
that failed. It has no host name, path, argument or IP address.
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
    data = text.encode("utf-8", "replace")
    if os.write(2, data) != len(data):
        raise OSError(28, "the notice could not be shown")
    if full:
        _remember(marker, situation)


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

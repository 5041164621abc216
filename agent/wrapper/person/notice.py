"""What the operator is told before anything is sent: what is reported, how to see it, how to stop it."""

from __future__ import annotations

import os

from agent.base.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.config.situation import Situation

FULL = """\
{product} reports how this installation goes: that it started, and whether it succeeded or failed
(the operating system's name, the duration, the exit code, and where a script failed: its base name,
line and command name), under a random id. No host name, path, argument or address is sent.
See every byte: {name} preview    What was sent: {name} log    Turn it off: {name} disable,
or DO_NOT_TRACK=1 in the environment. Nothing has been sent yet.
"""
SHORT = (
    "{name}: {product} reports this installation's outcome;"
    " {name} preview shows it, {name} disable stops it\n"
)


def show_notice(situation: Situation) -> None:
    """Write the notice, in one piece. OSError if nobody can have seen it.

    In full the first time on a terminal, else as one line.
    """
    marker = situation.state.notice
    full = os.isatty(2) and not os.path.lexists(marker)
    text = (FULL if full else SHORT).format(
        product=printable(situation.settings.product), name=situation.name
    )
    data = text.encode("utf-8", "replace")
    if os.write(2, data) != len(data):
        raise OSError(28, "the notice could not be shown")
    if full:
        _remember(marker, situation)


def _remember(marker: str, situation: Situation) -> None:
    from agent.base.owner import ActingAsOwner

    try:
        with ActingAsOwner(situation.state):
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError:
        pass  # it will be shown in full once more

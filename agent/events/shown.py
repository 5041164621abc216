"""Up to which version of the catalogue the operator was shown what is sent. What is newer is held back.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

import os

from agent.base.files import read_small
from agent.base.owner import ActingAsOwner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.base.statedir import StateDir

FIRST, NEWEST = 1, 3
"""Versions of the catalogue. Whoever adds an event or a field to it adds one to NEWEST."""
MAX_BYTES = 16


def read_shown(state: StateDir) -> int:
    """The newest version that was shown; the first where that is in doubt.

    A new installation has shown and sent nothing, so it begins with the catalogue that it comes with.
    """
    try:
        return min(max(int(read_small(state.shown, MAX_BYTES)), FIRST), NEWEST)
    except FileNotFoundError:
        return FIRST if _began(state) else NEWEST
    except (OSError, ValueError):
        return FIRST


def note_shown(state: StateDir, version: int = NEWEST) -> None:
    """Note that the operator was shown the catalogue up to this version. OSError if it cannot be noted."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with ActingAsOwner(state):
        handle = os.open(state.shown, flags, 0o600)
        try:
            os.write(handle, b"%d\n" % version)  # half of it, or nothing, counts as the first version
        except OSError:
            os.unlink(state.shown)  # a full disk: the next time is a beginning again
            raise
        finally:
            os.close(handle)


def note_beginning(state: StateDir) -> None:
    """Before the first id is made or the first notice was shown: this installation begins with the newest."""
    if not os.path.lexists(state.shown) and not _began(state):
        note_shown(state)


def _began(state: StateDir) -> bool:
    """Whether there is an id, or a damaged one, of a release that did not note this or of this one.

    Such a release may also have shown its notice, and been cut off before it made an id.
    """
    return any(map(os.path.lexists, (state.id, state.id + ".damaged", state.notice)))

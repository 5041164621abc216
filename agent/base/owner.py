"""Acting as the state directory's owner: root follows nothing that this owner may have planted there.

Nothing changes for other users than root, nor in root's own directory. Part of the boot path of `wrap`:
imports stay few and cheap.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agent.base.statedir import StateDir


def become_owner(state: StateDir, *modules: str) -> None:
    """Act as the owner for good; so root's verbs and the service share one state.

    The owner may not be able to read Python's own files: `modules` are imported before.
    """
    who = other_owner(state)
    if who is None:
        return
    for module in modules:
        __import__(module)
    _act_as(*who, state)
    os.setresgid(who[1], who[1], who[1])
    os.setresuid(who[0], who[0], who[0])


class ActingAsOwner:
    """Act as the owner while this context lasts. What anybody makes within it is the owner's only."""

    def __init__(self, state: StateDir) -> None:
        self._state = state
        self._who = other_owner(state)
        self._groups, self._gid = os.getgroups(), os.getegid()

    def __enter__(self) -> None:
        self._umask = os.umask(0o077)
        if self._who is not None:
            try:
                _act_as(*self._who, self._state)
            except OSError:
                self.__exit__()
                raise

    def __exit__(self, *_: object) -> None:
        if self._who is not None:
            os.seteuid(0)
            os.setegid(self._gid)
            if os.getgroups() != self._groups:
                os.setgroups(self._groups)
        os.umask(self._umask)


def other_owner(state: StateDir) -> tuple[int, int] | None:
    """For root the directory's owner, as (uid, gid), if that is somebody else.

    None too if the directory cannot be looked at: what is done there next says why.
    """
    try:
        found = os.stat(state.path)
    except OSError:
        return None
    return (found.st_uid, found.st_gid) if os.geteuid() == 0 != found.st_uid else None


def _act_as(uid: int, gid: int, state: StateDir) -> None:
    try:
        os.setgroups([])
        os.setegid(gid)
        os.seteuid(uid)
    except OSError as why:
        raise OSError(
            why.errno, f"root is not allowed to act as the owner (uid {uid}) here", state.path
        ) from None

"""Acting as the state directory's owner: root follows nothing that this owner may have planted there.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.base.statedir import StateDir


def other_owner(state: StateDir) -> tuple[int, int] | None:
    """Whom root is to act as there, as (uid, gid): the directory's owner, if that is somebody else.

    None too where the directory cannot be looked at: what is done there next says why.
    """
    if os.geteuid() != 0:
        return None
    try:
        found = os.stat(state.path)
    except OSError:
        return None
    return (found.st_uid, found.st_gid) if found.st_uid != 0 else None


def become_owner(state: StateDir, *modules: str) -> None:
    """As root, become the owner for good; so root's verbs and the service share one state.

    The owner may not be able to read Python's own files: `modules` are imported before.
    """
    who = other_owner(state)
    if who is None:
        return
    for module in modules:
        __import__(module)
    _take_on(
        who,
        state,
        set_gid=lambda gid: os.setresgid(gid, gid, gid),
        set_uid=lambda uid: os.setresuid(uid, uid, uid),
    )


class ActingAsOwner:
    """As root, act as the owner while this context lasts.

    What anybody makes within it is the owner's alone, whatever the umask was.
    """

    def __init__(self, state: StateDir) -> None:
        self._state = state
        self._who = other_owner(state)

    def __enter__(self) -> None:
        self._umask = os.umask(0o077)
        if self._who is not None:
            self._groups, self._gid = os.getgroups(), os.getegid()
            try:
                _take_on(self._who, self._state, set_gid=os.setegid, set_uid=os.seteuid)
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


def _take_on(
    who: tuple[int, int], state: StateDir, *, set_gid: Callable[[int], None], set_uid: Callable[[int], None]
) -> None:
    uid, gid = who
    try:
        os.setgroups([])
        set_gid(gid)
        set_uid(uid)
    except OSError as why:
        raise OSError(
            why.errno, f"root is not allowed to act as the owner (uid {uid}) here", state.path
        ) from None

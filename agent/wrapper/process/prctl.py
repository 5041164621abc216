"""A few words to the kernel that Python has no name for, through prctl.

_ctypes alone is a third of the price of ctypes. Where it is missing or has changed, ctypes
itself is tried, and where that is missing too, the wrapper goes without.
"""

from __future__ import annotations

import os
import sys

from agent.base import sig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SET_PDEATHSIG, SET_DUMPABLE, SET_NO_NEW_PRIVS = 1, 4, 38
CAPABILITIES = b"\x22\x05\x08\x20"
"""Version 3 of capset's interface, which has two words a set."""


def prctl(option: int, value: int) -> None:
    """Ask; a kernel or Python that cannot is no error."""
    call = _prctl()
    if call is not None:
        call(option, value)


def die_with(parent: int) -> None:
    """In a child just forked: be killed when parent is, and at once if it is gone already."""
    prctl(SET_PDEATHSIG, sig.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), sig.SIGKILL)


def no_core() -> None:
    """Leave no core file, nor a crash report to whoever /proc/sys/kernel/core_pattern names."""
    prctl(SET_DUMPABLE, 0)


def open_to_own_user() -> None:
    """Let other processes of our user look into /proc/PID of this one, as when it began.

    Once a process has acted as another user, the kernel lets only those with CAP_SYS_PTRACE do so. Root in a
    container may lack that.
    """
    prctl(SET_DUMPABLE, 1)


def without_rights() -> bool:
    """Give up every capability, for good; whether that was done."""
    prctl(SET_NO_NEW_PRIVS, 1)
    prctl(SET_DUMPABLE, 0)
    try:
        import _ctypes

        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), "capset")  # type: ignore[arg-type]  # as below
        head = CAPABILITIES if sys.byteorder == "little" else CAPABILITIES[::-1]
        return bool(_ctypes.call_function(address, (head + bytes(4), bytes(24))) == 0)
    except (ImportError, AttributeError, OSError):
        return False


def _prctl() -> Callable[[int, int], object] | None:
    try:
        import _ctypes

        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None: ourselves
        return lambda option, value: _ctypes.call_function(address, (option, value, 0, 0, 0))
    except (ImportError, AttributeError, OSError):
        pass
    try:
        import ctypes

        function = ctypes.CDLL(None).prctl
        return lambda option, value: function(option, value, 0, 0, 0)
    except (ImportError, AttributeError, OSError):
        return None

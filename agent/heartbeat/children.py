"""Signals and children of the daemon: one wait for both, so that either wakes it at once.

All signals of interest are blocked and taken with sigtimedwait: nothing interrupts the daemon in
the middle of anything, nothing is missed between two looks, and as PID 1 of a container it is
not deaf as processes without handlers are there.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from agent.base import sig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LINE_LIMIT = 65536
"""What a pipe holds. A child that says more waits for a reader in vain, and is ended."""

END: dict[int, str] = {sig.SIGTERM: "SIGTERM", sig.SIGINT: "SIGINT"}
TAKEN = frozenset((*END, sig.SIGHUP, sig.SIGCHLD))


class Leave(BaseException):
    """The daemon is to end, with this exit code. No job may keep it from the top."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class ChildEnd(NamedTuple):
    """How a child ended: exit code (None if it was killed at its deadline), and what it said."""

    code: int | None
    output: bytes


class Signals:
    """Owns the signal mask of the process to its end, and reaps every child, its own or not.

    It is not given back: a signal that comes while the daemon leaves must not change how it ends.
    """

    def __init__(self, wake: Callable[[], float]) -> None:
        """`wake` is called on every wake-up and says how many seconds may pass until the next."""
        self._wake = wake
        self._statuses: dict[int, int | None] = {}
        sig.signal(sig.SIGCHLD, sig.SIG_DFL)  # who was started with it ignored is told of no child
        self._before = sig.pthread_sigmask(sig.SIG_BLOCK, TAKEN)
        self.reload = False

    def pause(self, seconds: float) -> None:
        """Sleep until a signal or `seconds` have passed. Raises Leave on SIGTERM and SIGINT."""
        came = sig.sigtimedwait(TAKEN, max(0.0, min(seconds, self._wake())))
        if came is None:
            return
        if came.si_signo in END:
            raise Leave(0, END[came.si_signo])
        if came.si_signo == sig.SIGHUP:
            self.reload = True
        self._reap()

    def run_child(self, argv: Sequence[str], deadline: float) -> ChildEnd:
        """Run a child to its end, or kill it and all it started after `deadline` seconds."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            try:
                pid = self._spawn(argv, writer)
            finally:
                os.close(writer)
            code = self._wait(pid, time.clock_gettime(time.CLOCK_BOOTTIME) + deadline)
            os.set_blocking(reader, False)  # a grandchild may hold the other end for ever
            return ChildEnd(code, _read(reader))
        finally:
            os.close(reader)

    def _spawn(self, argv: Sequence[str], writer: int) -> int:
        devnull = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        return os.posix_spawn(
            argv[0],
            list(argv),
            os.environ,
            file_actions=[devnull, (os.POSIX_SPAWN_DUP2, writer, 1)],
            setpgroup=0,
            setsigmask=self._before,
        )

    def _wait(self, pid: int, end: float) -> int | None:
        self._statuses[pid] = None
        in_time = True
        try:
            while self._statuses[pid] is None and in_time:
                left = end - time.clock_gettime(time.CLOCK_BOOTTIME)
                in_time = left > 0
                self.pause(left)
        finally:
            status = self._statuses.pop(pid)
            if status is None:
                status = self._end(pid)
        return os.waitstatus_to_exitcode(status) if in_time else None

    def _end(self, pid: int) -> int:
        """Kill the child's whole group. It only ever had work that may be cut off anywhere."""
        os.killpg(pid, sig.SIGKILL)
        return os.waitpid(pid, 0)[1]

    def _reap(self) -> None:
        """Collect every child that is done; as PID 1, orphans of others among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._statuses:
                self._statuses[pid] = status


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, LINE_LIMIT)
    except BlockingIOError:
        return b""

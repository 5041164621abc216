"""Signals and children of the daemon: it waits for both at once, and either wakes it.

The signals are blocked and taken with sigtimedwait. So none interrupts the daemon in the middle of
something, and none is lost. It also works as PID 1 of a container, where the kernel drops signals that
have no handler.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from agent.base import processes, sig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LINE_LIMIT = 65536
"""The size of a pipe. A child that prints more blocks, and is ended at its deadline."""

END: dict[int, str] = {sig.SIGTERM: "SIGTERM", sig.SIGINT: "SIGINT"}
GATHER_SECONDS = 1.0
TAKEN = frozenset((*END, sig.SIGHUP, sig.SIGCHLD, sig.SIGIO))


class Leave(BaseException):
    """The daemon must end, with this exit code. No `except Exception` of a job stops it."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class ChildEnd(NamedTuple):
    """How a child ended: exit code (None if it was killed at its deadline), and its output."""

    code: int | None
    output: bytes


class Signals:
    """Owns the signal mask of the process, and reaps every child, its own or adopted.

    The mask is never restored: a signal that comes while the daemon ends must not change its exit.
    """

    def __init__(self, wake: Callable[[], float]) -> None:
        """`wake` is called on every wake-up and says how many seconds may pass until the next."""
        self._wake = wake
        self._statuses: dict[int, int | None] = {}
        sig.signal(sig.SIGCHLD, sig.SIG_DFL)  # a parent may have ignored it: no end of a child is told then
        self._before = sig.pthread_sigmask(sig.SIG_BLOCK, TAKEN)
        self.reload = False
        self.changed = False
        """A folder that is watched has changed, see watch.py."""

    def pause(self, seconds: float) -> None:
        """Sleep until a signal or `seconds` have passed. Raises Leave on SIGTERM and SIGINT."""
        self._heed(sig.sigtimedwait(TAKEN, max(0.0, min(seconds, self._wake()))))

    def gather(self) -> None:
        """Heed all but edits for a second, so that a folder with many of them costs little."""
        self._heed(sig.sigtimedwait(TAKEN - {sig.SIGIO}, GATHER_SECONDS))

    def _heed(self, came: sig.struct_siginfo | None) -> None:
        if came is None:
            return
        if came.si_signo in END:
            raise Leave(0, END[came.si_signo])
        if came.si_signo == sig.SIGHUP:
            self.reload = True
        elif came.si_signo == sig.SIGIO:
            self.changed = True
        self._reap()

    def run_child(self, argv: Sequence[str], deadline: float) -> ChildEnd:
        """Run a child to its end, or kill it and all it started after `deadline` seconds."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            try:
                pid = self._spawn(argv, writer)
            finally:
                os.close(writer)
            code = self._wait(pid, processes.seconds_since_boot() + deadline)
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
                left = end - processes.seconds_since_boot()
                in_time = left > 0
                self.pause(left)
        finally:
            status = self._statuses.pop(pid)
            if status is None:
                status = self._end(pid)
        return os.waitstatus_to_exitcode(status) if in_time else None

    def _end(self, pid: int) -> int:
        """Kill the child's whole group. All of its work may be interrupted anywhere."""
        os.killpg(pid, sig.SIGKILL)
        return os.waitpid(pid, 0)[1]

    def _reap(self) -> None:
        """Collect every child that ended; as PID 1 also the orphans of other processes."""
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

"""A second process in our process group, to tell a signal to the group from one to us alone.

A terminal, `kill %1` or systemd signal every process of a group, and CMD has the signal
already; `kill PID` reaches the wrapper alone, and the signal must be passed on. No field of a
signal tells one from the other. A process that does nothing but watch does: what it got too,
everyone got.
"""

from __future__ import annotations

import os
import select
import struct
import time

from agent.wrapper import leash, sig
from agent.wrapper.child import let_go

PATIENCE = 0.1
"""How long the witness is given to report, and how far apart two reports of one signal may be."""

REPORT = struct.Struct("=id")


class Witness:
    """A child that blocks all signals and reports each. Owns the pipe that it reports on."""

    def __init__(self) -> None:
        self._pipe, tell = os.pipe()
        self._seen: list[tuple[int, float]] = []
        self.since = float("inf")
        """Reports made after this time count, however old: set while the wrapper is stopped."""
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:  # pragma: no cover - it ends by SIGKILL, which saves no measurement
            try:
                leash.die_with(parent)
                _watch(tell)
            finally:
                os._exit(0)
        os.close(tell)

    def saw(self, number: int) -> bool:
        """Whether the witness got this signal too, just now. Each report answers once."""
        now = time.monotonic()
        while not self._take(number, now):
            left = now + PATIENCE - time.monotonic()
            if left <= 0 or not select.select([self._pipe], [], [], left)[0]:
                return False
            data = os.read(self._pipe, REPORT.size * 64)
            if not data:  # gone: nobody can tell
                return False
            self._seen.extend(REPORT.iter_unpack(data))
        return True

    def _take(self, number: int, now: float) -> bool:
        oldest = min(now - PATIENCE, self.since)
        self._seen = [(n, at) for n, at in self._seen if at >= oldest]
        for report in self._seen:
            if report[0] == number:
                self._seen.remove(report)
                return True
        return False

    def dismiss(self) -> None:
        """End it. Our own end, or the next reaping, is soon enough for what is left of it."""
        os.kill(self.pid, sig.SIGKILL)
        os.waitpid(self.pid, os.WNOHANG)


def _watch(tell: int) -> None:  # pragma: no cover - as above
    """Report every signal, for ever. All of them are blocked already."""
    let_go({tell})
    os.dup2(os.open(os.devnull, os.O_RDWR), 2)
    everything = sig.valid_signals()
    while True:
        number = sig.sigwaitinfo(everything).si_signo
        os.write(tell, REPORT.pack(number, time.monotonic()))

"""A second process in our process group, which watches while we wait.

It tells a signal to the group from one to us alone. A terminal, `kill %1` or systemd signal
every process of a group, and CMD has the signal already; `kill PID` reaches the wrapper alone,
and the signal must be passed on. No field of a signal tells one from the other; what the
witness got too, everyone got.

And it wakes us: while we are stopped because CMD is, only somebody else can see CMD go on.
"""

from __future__ import annotations

import os
import select
import time

from agent.base import processes, sig
from agent.wrapper.process import prctl
from agent.wrapper.process.child import hold_nothing

PATIENCE = 0.1
"""How long a sender may take from one process of the group to the next."""

BUSY = 1.0
"""How long the witness may need to be given a processor, and how old a report may be."""

GLANCE = 0.2
"""How often the witness looks at CMD while we are stopped with it."""

# Ours to the witness. Of signals that wait the lowest is taken first: when it comes to these, it
# has reported all that came before.
ASKING, STOPPING, GOING_ON = sig.SIGRTMAX, sig.SIGRTMAX - 1, sig.SIGRTMAX - 2

REPORT_BYTES = 9
"""A signal's number in one byte, then the monotonic clock in nanoseconds."""


class Witness:
    """A child that blocks all signals and reports each. Owns the pipe that it reports on."""

    def __init__(self, cmd: int) -> None:
        self._pipe, tell = os.pipe()
        self._seen: list[tuple[int, float]] = []
        self.since = float("inf")
        """Reports made after this time count, however old: set while signals wait that came when we were
        stopped."""
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:  # pragma: no cover - it ends by SIGKILL, which saves no measurement
            try:
                prctl.die_with(parent)
                hold_nothing({tell})
                _watch(tell, parent, cmd)
            finally:
                os._exit(0)
        os.close(tell)

    def saw(self, number: int) -> bool:
        """Whether the witness got this signal too, just now. Each report answers once."""
        now = time.monotonic()
        os.kill(self.pid, ASKING)
        self._told(ASKING, now, BUSY)
        return self._told(number, now, PATIENCE)

    def wakes_us(self) -> None:
        """From now on: we are about to stop."""
        self.since = time.monotonic()
        os.kill(self.pid, STOPPING)

    def rests(self) -> None:
        """We go on, and see to CMD ourselves."""
        os.kill(self.pid, GOING_ON)

    def _told(self, number: int, now: float, patience: float) -> bool:
        while not self._take(number, now):
            left = now + patience - time.monotonic()
            if left <= 0 or not select.select([self._pipe], [], [], left)[0]:
                return False
            data = os.read(self._pipe, REPORT_BYTES * 64)
            if not data:  # gone: nobody can tell
                return False
            for at in range(0, len(data), REPORT_BYTES):
                self._seen.append((data[at], int.from_bytes(data[at + 1 : at + REPORT_BYTES], "big") / 1e9))
        return True

    def _take(self, number: int, now: float) -> bool:
        oldest = min(now - BUSY, self.since)
        self._seen = [(n, at) for n, at in self._seen if at >= oldest]
        for report in self._seen:
            if report[0] == number:
                self._seen.remove(report)
                return True
        return False

    def dismiss(self) -> None:
        """End it, and wait for that: until then it may keep what the install stood in busy."""
        os.kill(self.pid, sig.SIGKILL)
        os.waitpid(self.pid, 0)


def _watch(tell: int, parent: int, cmd: int) -> None:  # pragma: no cover - as above
    """Report every signal, for ever. All of them are blocked already."""
    everything = sig.valid_signals()
    both_stopped = False
    while True:
        info = sig.sigtimedwait(everything, GLANCE) if both_stopped else sig.sigwaitinfo(everything)
        if info is None:
            if processes.state(parent) == "T" and processes.state(cmd) not in ("T", "t", ""):
                _report(tell, sig.SIGCONT)
                os.kill(parent, sig.SIGCONT)
            continue
        if info.si_signo in (STOPPING, GOING_ON):
            both_stopped = info.si_signo == STOPPING
        _report(tell, info.si_signo)  # those two as well: who knows who sent them


def _report(tell: int, number: int) -> None:  # pragma: no cover - as above
    os.write(tell, bytes([number]) + time.monotonic_ns().to_bytes(REPORT_BYTES - 1, "big"))

"""While CMD runs: pass signals on to CMD, and stop or end as CMD does.

All signals are blocked and taken one at a time, so none interrupts and none is lost.
"""

from __future__ import annotations

import os

from agent.base import sig
from agent.wrapper.process.witness import Witness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

STOPS = (sig.SIGTSTP, sig.SIGTTIN, sig.SIGTTOU)
CHILD_CHANGED = range(1, 7)  # si_code CLD_EXITED ... CLD_CONTINUED
LOOK_SECONDS = 0.02
"""How often the record of a trace is looked at, so that it stays small."""

FROM_KERNEL = 0x80  # si_code SI_KERNEL: a terminal's doing


def relay_signals(pid: int, look: Callable[[], None] | None = None) -> int:
    """Pass signals on until CMD ends; returns its wait status. Until then `look` is called over and over."""
    relay = Relay(pid, look)
    try:
        return relay.run()
    finally:
        relay.close()


class Relay:
    """Owns the wait for one child."""

    def __init__(self, pid: int, look: Callable[[], None] | None = None) -> None:
        self._pid = pid
        self._look = look
        self._ended: int | None = None
        self._stopped_by = 0
        self._witness = _witness(pid)
        self._first = os.getpid() == 1

    def run(self) -> int:
        everything = sig.valid_signals()
        while True:
            self._reap()  # each time: a SIGCHLD that anybody sent swallows the one of CMD's end
            if self._ended is not None:
                return self._ended
            self._mirror_stop()
            if self._witness and not sig.sigpending():
                self._witness.since = float("inf")
            info = self._next(everything)
            if info.si_signo == sig.SIGCHLD and info.si_code in CHILD_CHANGED:
                continue
            if self._meant_for_us_alone(info) and not self._too_late_for(info.si_signo):
                self._pass_on(info.si_signo)

    def _next(self, signals: set[sig.Signals]) -> sig.struct_siginfo:
        """The next signal; until it comes, look now and then."""
        while self._look:
            info = sig.sigtimedwait(signals, LOOK_SECONDS)
            if info:
                return info
            self._look()
        return sig.sigwaitinfo(signals)

    def close(self) -> None:
        if self._witness:
            self._witness.dismiss()

    def _reap(self) -> None:
        """Take every report about children: CMD's own, and as PID 1 those of strangers."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._note(status)
            elif self._witness and pid == self._witness.pid and _ended(status):
                self._witness = None  # somebody killed it, and its pid may soon be another's

    def _note(self, status: int) -> None:
        self._stopped_by = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0
        if _ended(status):
            self._ended = status

    def _mirror_stop(self) -> None:
        """Stop as CMD did, so that whoever waits for us sees it; returns when continued."""
        number, self._stopped_by = self._stopped_by, 0
        if not number:
            return
        self._witness = self._witness or _witness(self._pid)  # without one nobody would wake us
        if self._witness:
            self._witness.wakes_us()
        if number in STOPS and sig.getsignal(number) == sig.SIG_DFL:
            os.kill(os.getpid(), number)
            sig.pthread_sigmask(sig.SIG_UNBLOCK, [number])
            sig.pthread_sigmask(sig.SIG_BLOCK, [number])
        else:
            os.kill(os.getpid(), sig.SIGSTOP)
        if self._witness:
            self._witness.rests()

    def _meant_for_us_alone(self, info: sig.struct_siginfo) -> bool:
        if info.si_signo in STOPS and info.si_code == FROM_KERNEL:
            return False
        if self._witness:
            return not self._witness.saw(info.si_signo)
        return info.si_code != FROM_KERNEL

    def _too_late_for(self, number: int) -> bool:
        """Whether CMD ended while the witness was asked, or got what cancels this signal.

        A stop cancels a continue, and a continue a stop; passed on now, the earlier would undo the later.
        """
        self._reap()
        if self._ended is not None:
            return True
        waiting = sig.sigpending()
        if number == sig.SIGCONT:
            return self._stopped_by != 0 or not waiting.isdisjoint(STOPS)
        return number in STOPS and sig.SIGCONT in waiting

    def _pass_on(self, number: int) -> None:
        """Give CMD the signal. As PID 1, only if CMD asked for it: the kernel shields a bare one too."""
        if self._first and number != sig.SIGCONT and not _awaits(self._pid, number):
            return
        try:
            os.kill(self._pid, number)
        except PermissionError:
            pass  # CMD became another user, as sudo does


def _ended(status: int) -> bool:
    return os.WIFEXITED(status) or os.WIFSIGNALED(status)


def _witness(cmd: int) -> Witness | None:
    try:
        return Witness(cmd)
    except OSError:  # no more processes: make do with what a signal says of itself
        return None


def _awaits(pid: int, number: int) -> bool:
    """Whether the process handles the signal, or blocks it to take it later."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            fields = dict(line.split(":\t", 1) for line in file if ":\t" in line)
    except OSError:
        return True
    return bool((int(fields["SigCgt"], 16) | int(fields["SigBlk"], 16)) >> (number - 1) & 1)

"""Between CMD and the world while CMD runs: signals go in, stops and the end come out.

All signals are blocked and taken one at a time, so none interrupts and none is lost.
"""

from __future__ import annotations

import os
import time

from agent.wrapper import sig
from agent.wrapper.witness import Witness

STOPS = (sig.SIGTSTP, sig.SIGTTIN, sig.SIGTTOU)
CHILD_CHANGED = range(1, 7)  # si_code CLD_EXITED ... CLD_CONTINUED
FROM_KERNEL = 0x80  # si_code SI_KERNEL: a terminal's doing


def until_ended(pid: int) -> int:
    """Stand by until CMD ends; its wait status."""
    relay = Relay(pid)
    try:
        return relay.run()
    finally:
        relay.close()


class Relay:
    """Owns the wait for one child."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended: int | None = None
        self._stopped_by = 0
        self._witness = _witness()
        self._first = os.getpid() == 1

    def run(self) -> int:
        everything = sig.valid_signals()
        self._reap()
        while self._ended is None:
            self._mirror_stop()
            info = sig.sigwaitinfo(everything)
            if info.si_signo == sig.SIGCHLD and info.si_code in CHILD_CHANGED:
                self._reap()
            elif self._meant_for_us_alone(info):
                self._pass_on(info.si_signo)
        return self._ended

    def close(self) -> None:
        if self._witness:
            try:
                self._witness.dismiss()
            except OSError:
                pass  # reaped already

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

    def _note(self, status: int) -> None:
        self._stopped_by = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            self._ended = status

    def _mirror_stop(self) -> None:
        """Stop as CMD did, so that whoever waits for us sees it; returns when continued."""
        number, self._stopped_by = self._stopped_by, 0
        if not number:
            return
        if self._witness:
            self._witness.since = time.monotonic()
        if number in STOPS and sig.getsignal(number) == sig.SIG_DFL:
            os.kill(os.getpid(), number)
            sig.pthread_sigmask(sig.SIG_UNBLOCK, [number])
            sig.pthread_sigmask(sig.SIG_BLOCK, [number])
        else:
            os.kill(os.getpid(), sig.SIGSTOP)

    def _meant_for_us_alone(self, info: sig.struct_siginfo) -> bool:
        if info.si_signo in STOPS and info.si_code == FROM_KERNEL:
            return False
        if self._witness:
            return not self._witness.saw(info.si_signo)
        return info.si_code != FROM_KERNEL

    def _pass_on(self, number: int) -> None:
        """Give CMD the signal. As PID 1, only if CMD asked for it: the kernel shields a bare one too."""
        if self._first and number != sig.SIGCONT and not _awaits(self._pid, number):
            return
        try:
            os.kill(self._pid, number)
        except ProcessLookupError:
            pass


def _witness() -> Witness | None:
    try:
        return Witness()
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


def end_as(status: int) -> None:
    """End this process as CMD ended: the same code, or the same death. Never returns."""
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status))
    number = os.WTERMSIG(status)
    try:
        _die_by(number)
    finally:
        os._exit(128 + number)  # PID 1 cannot be killed by itself


def _die_by(number: int) -> None:
    import resource

    from agent.wrapper import leash

    leash.no_core()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    try:
        sig.signal(number, sig.SIG_DFL)
    except (OSError, ValueError):
        pass  # SIGKILL has no other
    os.kill(os.getpid(), number)
    sig.pthread_sigmask(sig.SIG_UNBLOCK, [number])

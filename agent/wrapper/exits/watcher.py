"""A child of ours that hears of every process's end, and remembers those of CMD's own steps.

CMD's steps are the programs that CMD's shell starts, or a subshell of it. It gives up every right before
it listens, and forgets at once what does not concern the install.
"""

from __future__ import annotations

import errno
import os
import select

from agent.wrapper.exits.taskstats import Exit
from agent.wrapper.process import prctl
from agent.wrapper.process.child import hold_nothing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.wrapper.exits.taskstats import ExitEvents

KEPT = 4096
"""So many steps are remembered. Of a script that has more, nothing is told."""

BUSY = 1.0
"""How long the watcher may need to answer."""

MAX_DEPTH = 8
SUBSHELLS = 1024
ANSWER = 1 << 16
FORKNOEXEC = 0x40
"""A process that has not become another program, in the flags of /proc/PID/stat."""


class Watcher:
    """The child. Owns the pipes to it."""

    def __init__(self, events: ExitEvents, cmd: int) -> None:
        hear, self._ask = os.pipe()
        self._answer, tell = os.pipe()
        parent = os.getpid()
        try:
            self.pid = os.fork()
        except OSError:  # no more processes
            for fd in (hear, tell, *self.descriptors()):
                os.close(fd)
            raise
        if self.pid == 0:  # pragma: no cover - nothing saves its measurement
            try:
                prctl.die_with(parent)
                os.setsid()  # no signal to the install's group, nor ^Z, is for it
                hold_nothing({events.fileno(), hear, tell})
                if prctl.without_rights():
                    _watch(events, cmd, hear, tell)
            finally:
                os._exit(0)
        os.close(hear)
        os.close(tell)

    def descriptors(self) -> set[int]:
        return {self._ask, self._answer}

    def steps(self) -> list[Exit] | None:
        """CMD has ended: its steps and at the end itself; None where any of that was lost."""
        data = part = b"?"
        try:
            os.write(self._ask, part)
            while part:
                if not select.select([self._answer], [], [], BUSY)[0]:
                    return None
                part = os.read(self._answer, ANSWER)
                data += part
        except OSError:  # somebody killed it
            return None
        finally:
            self.dismiss()
        return [_unpack(line) for line in data[1:].split(b"\n")[:-1]] or None

    def dismiss(self) -> None:
        """It ends when nobody can ask any more."""
        for fd in self.descriptors():
            os.close(fd)


class Steps:
    """What is remembered."""

    def __init__(self, cmd: int) -> None:
        self._cmd = cmd
        self._shells = {cmd}
        self.kept: list[Exit] = []

    def take(self, waiting: Callable[[], Iterable[Exit]]) -> None:
        """Sort out, in order, what waits.

        A parent that ends meanwhile was told of before it went, so a second look finds it.
        """
        queue = list(waiting())
        ended = {gone.pid: gone for gone in queue}
        at, looked = 0, -1
        while at < len(queue):
            gone = queue[at]
            ours = gone.pid == self._cmd or self._is_ours(gone.parent, ended)
            if ours is None and looked != at:
                looked, more = at, list(waiting())
                queue.extend(more)
                ended.update((later.pid, later) for later in more)
                continue
            at += 1
            if ours:
                self._shells.discard(gone.pid)
                self.kept.append(gone)
                if len(self.kept) > KEPT:
                    raise OSError(errno.EOVERFLOW, "too many steps")

    def _is_ours(self, pid: int, ended: dict[int, Exit], depth: int = MAX_DEPTH) -> bool | None:
        """Whether this process is CMD, or a subshell of CMD's; None where it is gone."""
        if pid in self._shells:
            return True
        known = (ended[pid].forked, ended[pid].parent) if pid in ended else _forked_from(pid)
        if known is None:
            return None
        forked, parent = known
        ours = self._is_ours(parent, ended, depth - 1) if forked and depth else False
        if ours and pid not in ended and len(self._shells) < SUBSHELLS:
            self._shells.add(pid)
        return ours


def _forked_from(pid: int) -> tuple[bool, int] | None:
    """Whether a living process is the copy of another that has become no other program; its parent."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        return bool(int(fields[6]) & FORKNOEXEC), int(fields[1])
    except (OSError, ValueError, IndexError):
        return None


def _watch(events: ExitEvents, cmd: int, hear: int, tell: int) -> None:
    """Until asked, or until nobody is left who could ask."""
    steps, asked = Steps(cmd), False
    while not asked:
        ready = select.select([events.fileno(), hear], [], [])[0]
        asked = hear in ready
        if asked and not os.read(hear, 1):
            return
        steps.take(events.waiting)
    os.write(tell, b"".join(_pack(step) for step in steps.kept))


def _pack(step: Exit) -> bytes:
    return b"%d %d %d %d %s\n" % (step.pid, step.parent, step.status, step.forked, step.name)


def _unpack(line: bytes) -> Exit:
    pid, parent, status, forked, name = line.split(b" ", 4)
    return Exit(int(pid), int(parent), int(status), name, forked=forked == b"1")

"""`rollcall daemon`: the long-running heartbeat.

This process only waits. It opens no network socket, reads no setting and no database; what is to
be done is done by short-lived children (see answer.py), each with a deadline. When is decided in
heart.py and due.py, signals and children are in child.py.
"""

from __future__ import annotations

import fcntl
import os
import random
import sys
from typing import TYPE_CHECKING, NoReturn

from agent.base import stdio
from agent.base.clock import read_clocks
from agent.base.files import file_stamp
from agent.base.owner import ActingAsOwner
from agent.base.statedir import StateDir
from agent.config import credentials
from agent.heartbeat import answer
from agent.heartbeat.children import Leave, Signals
from agent.heartbeat.due import read_due, write_due
from agent.heartbeat.heart import Heart
from agent.heartbeat.systemd import ERROR, INFO, WARNING, Journal, Notifier

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from agent.base.clock import Now
    from agent.heartbeat.due import Due

CHILD = (sys.executable, "-I", "-m", "agent")

DEADLINE = 60.0
"""Seconds for one child: twice the budget of a flush, and more than any health check takes."""

FOREVER = float("inf")

WRONG_SETTING = 2
"""A child's exit code, and ours if it is so from the start."""

USAGE = """usage: rollcall daemon

Send Instance Active every ROLLCALL_INTERVAL for as long as the product is alive.
Runs in the foreground until SIGTERM or SIGINT; SIGHUP makes it read the settings again.
While telemetry is off, it keeps running and sends nothing."""


class Daemon:
    """The process around a Heart: its one child at a time, its lock, its words."""

    def __init__(self, environ: MutableMapping[str, str], child: Sequence[str]) -> None:
        self._notifier = Notifier(environ)
        self._journal = Journal(environ)
        self._copies = credentials.env_files(environ)
        self._sources = {source: file_stamp(source) for _, source in self._copies}
        if key := credentials.write_key(environ):
            environ["ROLLCALL_WRITE_KEY_FILE"] = key  # the file itself is root's alone
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            environ.pop(name, None)  # not for children
        self._child = child
        self._signals = Signals(self._wake)
        self._state: StateDir | None = None
        self._lock: int | None = None
        self._answered = False
        self._failure: str | None = None
        self._status = ""

    def run(self) -> int:
        """Beat until told to leave; the exit code."""
        heart = Heart(self)
        try:
            for copy, source in self._copies:
                if credentials.edited_since(copy, source):
                    self._leave_for_edit(source)
            wait = heart.step()
            self._status = heart.status()
            self._notifier.ready(self._status)
            while True:
                self._rest(heart, wait)
                wait = heart.step()
        except Leave as leave:
            return self._leave(heart, leave)

    def _rest(self, heart: Heart, wait: float) -> None:
        self._tell(heart.status())
        if not self._signals.reload:  # it may have come while a child ran
            self._signals.pause(wait)
        for source, seen in self._sources.items():
            if file_stamp(source) != seen:
                self._leave_for_edit(source)
        if self._signals.reload:
            self._signals.reload = False
            self._reload(heart)

    def _leave_for_edit(self, source: str) -> NoReturn:
        raise Leave(0, f"{source} was edited; the service restarts to read it")

    def _reload(self, heart: Heart) -> None:
        self._notifier.reloading()
        heart.reload()
        heart.step()
        self._status = heart.status()
        self._notifier.ready(self._status)

    def _leave(self, heart: Heart, leave: Leave) -> int:
        self._notifier.stopping(str(leave))
        if leave.code == 0:
            heart.stop()
        self.say(INFO if leave.code == 0 else ERROR, f"stopped: {leave}")
        return leave.code

    def _tell(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self._notifier.status(status)

    def _wake(self) -> float:
        self._notifier.alive()
        return self._notifier.watchdog / 2 if self._notifier.watchdog else FOREVER

    # what the heart asks of the world

    def ask(self, *verb: str) -> answer.Report | None:
        ended = self._signals.run([*self._child, *verb], DEADLINE)
        said = answer.parse(ended.output)
        self._answered = self._answered or said is not None
        if ended.code == WRONG_SETTING and not self._answered:
            raise Leave(WRONG_SETTING, "a setting is not valid (see above)")
        failure = None if said is not None else _failure(ended.code)
        if failure is not None and failure != self._failure:
            self.say(WARNING, f"{verb[0]} {failure}; it will be tried again", verb=verb[0])
        self._failure = failure
        return said

    def clocks(self) -> Now:
        return read_clocks()

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)  # noqa: S311 - spreads load, keeps no secret

    def claim(self, state_dir: str) -> None:
        if self._state is not None and self._state.path == state_dir:
            return
        state = StateDir(state_dir)
        state.make()
        with ActingAsOwner(state):
            lock = os.open(state.daemon, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Leave(1, f"another rollcall daemon already uses {state_dir}") from None
        except OSError:  # a file system without locks
            os.close(lock)
            raise
        if self._lock is not None:
            os.close(self._lock)
        self._state, self._lock = state, lock

    def load(self) -> Due | None:
        if self._state is None:
            return None
        with ActingAsOwner(self._state):
            return read_due(self._state.due)

    def keep(self, due: Due) -> None:
        if self._state is not None:
            with ActingAsOwner(self._state):
                write_due(self._state.due, due)

    def say(self, priority: int, message: str, **fields: object) -> None:
        self._journal.say(priority, message, **fields)


def _failure(code: int | None) -> str:
    if code is None:
        return f"took more than {DEADLINE:.0f} s and was stopped"
    if code < 0:
        from signal import Signals as Names  # rare, and 100 KiB

        return f"was killed by {Names(-code).name}"
    return f"ended with exit code {code} and no result"


def main(argv: Sequence[str], child: Sequence[str] = CHILD) -> int:
    """The verb. `argv` is what follows it on the command line."""
    if argv in (["--help"], ["-h"]):
        print(USAGE)
        return 0
    if argv:
        print(f"rollcall daemon: takes no arguments, got {argv[0]!r}", file=sys.stderr)
        return 2
    stdio.prepare()
    return Daemon(os.environ, child).run()

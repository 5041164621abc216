"""`rollcall daemon`: the long-running heartbeat.

This process only waits. It opens no network socket, and reads no setting and no database. Short-lived
children do the work (see answer.py), each with a deadline. The heart decides when, and asks for them
through world.py.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from agent.base import stdio
from agent.base.files import file_stamp
from agent.base.messages import product_name
from agent.config import credentials
from agent.heartbeat.children import Leave, Signals
from agent.heartbeat.heart import Heart
from agent.heartbeat.systemd import ERROR, INFO, Journal, Notifier
from agent.heartbeat.watch import FolderWatch
from agent.heartbeat.world import RealWorld

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

CHILD = (sys.executable, "-I", "-m", "agent")

FOREVER = float("inf")

USAGE = """usage: {name} daemon

Send Instance Active every ROLLCALL_INTERVAL for as long as the product is alive.
Runs in the foreground until SIGTERM or SIGINT; SIGHUP makes it read the settings again.
While telemetry is off, it keeps running and sends nothing."""


class Daemon:
    """The process around a Heart: its signals, its reloads, and what systemd is told."""

    def __init__(self, environ: MutableMapping[str, str], child: Sequence[str]) -> None:
        self._notifier = Notifier(environ)
        self._journal = Journal(environ)
        self._copies = credentials.copies(environ)
        self._sources = {source: file_stamp(source) for _, source in self._copies}
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            environ.pop(name, None)  # not for children
        self._signals = Signals(self._wake)
        self._world = RealWorld(child, self._signals, self._journal)
        self._watch = FolderWatch()
        self._status = ""

    def run(self) -> int:
        """Beat until told to leave; the exit code."""
        heart = Heart(self._world)
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
        if not self._copies and self._watch.follow(heart.env_files()):  # systemd watches for the service
            self._signals.gather()  # where a folder looks replaced each time, too
            return
        if not (self._signals.reload or self._signals.changed):  # they may have come while a child ran
            self._signals.pause(wait)
        if self._signals.changed:
            self._signals.gather()
        self._signals.changed = False
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
        if leave.code == 0 and not self._status:
            self._notifier.ready(str(leave))  # otherwise systemd logs an end before it as a failure
        self._notifier.stopping(str(leave))
        if leave.code == 0:
            heart.stop()
        self._journal.log(INFO if leave.code == 0 else ERROR, f"stopped: {leave}")
        return leave.code

    def _tell(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self._notifier.status(status)

    def _wake(self) -> float:
        self._notifier.alive()
        return self._notifier.watchdog / 2 if self._notifier.watchdog else FOREVER


def main(argv: Sequence[str], child: Sequence[str] = CHILD) -> int:
    """The verb. `argv` is what follows it on the command line."""
    if argv in (["--help"], ["-h"]):
        print(USAGE.format(name=product_name()))
        return 0
    if argv:
        print(f"{product_name()} daemon: takes no arguments, got {argv[0]!r}", file=sys.stderr)
        return 2
    stdio.prepare()
    return Daemon(os.environ, child).run()

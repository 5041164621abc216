"""What the connections of one server share: the application, room for them, and the look at who is late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Any, Protocol

from collector.base.http import App
from collector.base.room import Room
from collector.settings import Settings

# Who is late is looked for this often, or four times within the time that a client has.
LOOK_SECONDS = 1.0
# Most bytes that are read at once.
READ_BYTES = 64 * 1024


class Guest(Protocol):
    """A connection."""

    due: float

    def late(self) -> None: ...
    def leave(self) -> None: ...


class Host:
    """One server's connections, and the requests that are being answered."""

    def __init__(self, app: App, bounds: Settings, clock: Callable[[], float], connections: int) -> None:
        self.app, self.bounds, self.clock = app, bounds, clock
        self.room = Room(connections, clock)
        self.guests: set[Guest] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.buffer = bytearray(READ_BYTES)  # filled and emptied in one step, so all can share it
        self.stopping = False
        self.empty = asyncio.Event()
        self.empty.set()
        self._date, self._date_at = b"", 0

    def date(self) -> bytes:
        """The time for the header `Date`."""
        now = int(time.time())
        if now != self._date_at:
            self._date, self._date_at = formatdate(now, usegmt=True).encode(), now
        return self._date

    def enter(self, guest: Guest) -> None:
        self.guests.add(guest)
        self.empty.clear()

    def exit(self, guest: Guest) -> None:
        self.guests.discard(guest)
        self._look_if_empty()

    def start(self, answering: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(answering)
        self.tasks.add(task)
        task.add_done_callback(self._answered)

    def stop(self) -> None:
        """Let every connection finish its request."""
        self.stopping = True
        for guest in list(self.guests):
            guest.leave()

    async def cut_off_who_is_late(self) -> None:
        """Look for late connections until cancelled."""
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self.bounds.timeout / 4))
            now = self.clock()
            for guest in [guest for guest in self.guests if guest.due <= now]:
                guest.late()

    def _answered(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._look_if_empty()

    def _look_if_empty(self) -> None:
        if not self.guests and not self.tasks:
            self.empty.set()

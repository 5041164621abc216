"""Whether the disk has room for more events. Where it has none, they are refused before it is full."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

from collector.base.http import Refused
from collector.base.written import write_size
from collector.settings import PREFIX, Settings
from collector.store import EventStore, StoreError

logger = logging.getLogger("rollcall.collector")

# The store is asked after this time, or when so many bytes have come in. Nobody waits longer for its answer.
LOOK_SECONDS = 1.0
LOOK_BYTES = 4 * 2**20
RETRY_SECONDS = 60


class DiskWatch:
    """What the database takes, and what its disk has left, compared with the settings: one for a process."""

    def __init__(
        self, settings: Settings, store: EventStore, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._store, self._clock = settings, store, clock
        self._looked = self._began = float("-inf")
        # One thread looks. A store that is slow, because one of its servers is frozen, has no more of them.
        self._thread, self._lock = ThreadPoolExecutor(1, "disk"), threading.Lock()
        self._look: Future[None] | None = None
        self.shortage = ""
        """Why no events can be taken, as one sentence without a full stop; empty if they can."""

    @property
    def is_fresh(self) -> bool:
        return self._clock() - self._looked <= LOOK_SECONDS

    def look(self, *, again: bool = False) -> str:
        """The shortage now, or the last known one if the store does not answer soon."""
        if again or not self.is_fresh:
            look = self._begin()
            if wait((look,), max(0.0, self._began + LOOK_SECONDS - self._clock())).done:
                look.result()
        return self.shortage

    def stop(self) -> None:
        """Let a look that has begun end, so that the store can be closed; there is no later one."""
        self._thread.shutdown()

    def _begin(self) -> Future[None]:
        """A look that goes on in the thread: the one that has begun, or a new one."""
        with self._lock:
            if self._look is None or self._look.done():
                self._began, self._look = self._clock(), self._thread.submit(self._ask)
            return self._look

    def _ask(self) -> None:
        with suppress(StoreError):
            self.shortage = self._shortage()
        self._looked = self._clock()

    def _shortage(self) -> str:
        space, least, most = self._store.space(), self._settings.disk_free, self._settings.max_db
        if most and space.used >= most:
            return f"the database takes {write_size(space.used)}, and {PREFIX}MAX_DB is {write_size(most)}"
        if space.free is not None and space.free < least:
            return f"the disk has {write_size(space.free)} left, and {PREFIX}DISK_FREE is {write_size(least)}"
        return ""


class DiskGuard:
    """Refuses events while the disk has no room; says in the log when that begins and ends."""

    def __init__(self, disk: DiskWatch) -> None:
        self._disk = disk
        self._disk.look()
        self._told = ""
        self._bytes = 0
        self._looking: asyncio.Task[str] | None = None

    @property
    def has_no_room(self) -> bool:
        return bool(self._disk.shortage)

    def check(self) -> None:
        """Refused if there was no room at the last look; the next look is on its way then."""
        if self._looking is None and (self._bytes > LOOK_BYTES or not self._disk.is_fresh):
            self._looking = asyncio.ensure_future(self.look(again=self._bytes > LOOK_BYTES))
            self._looking.add_done_callback(self._looked)
            self._bytes = 0
        if self._disk.shortage:
            message = "the server has no room for more events; try again later"
            raise Refused(503, "no_room", message, RETRY_SECONDS)

    def count(self, size: int) -> None:
        """So many bytes came in."""
        self._bytes += size

    async def look(self, *, again: bool = False) -> str:
        """The shortage now."""
        shortage = await asyncio.to_thread(self._disk.look, again=again)
        if shortage and not self._told:
            logger.error("no events are taken: %s", shortage)
        elif self._told and not shortage:
            logger.warning("there is room again; events are taken")
        self._told = shortage
        return shortage

    def _looked(self, _: asyncio.Task[str]) -> None:
        self._looking = None

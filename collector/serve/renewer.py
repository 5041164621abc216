"""Stores events of an older version as this one does, in a thread beside the server."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from collector.base.background import BackgroundJob
from collector.store import EventStore, StoreError

logger = logging.getLogger("rollcall.collector")

# After each piece it rests so many times as long as that took: a fifth of the time is for this.
REST_TIMES = 4
# How long it waits for the store, for room on the disk, or for a deletion to end.
PAUSE_SECONDS = 10.0
# A piece gives back more than it takes, but is written to a log first.
ROOM_BYTES = 64 * 2**20
# Progress is told whenever another tenth is done.
TENTHS = 10


class Renewer(BackgroundJob):
    """Ends after the last piece. What is left when it is stopped is done by the next server."""

    def __init__(self, store: EventStore, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("renewer")
        self._store, self._clock = store, clock
        self._first = self._left = 0  # numbers of events to look at: at the start, and now
        self._told = ""

    def step(self) -> float | None:
        """Store a piece; how long to rest then, or None if nothing is left."""
        began = self._clock()
        try:
            free = self._store.space().free
            if free is not None and free < ROOM_BYTES:
                self._tell(
                    f"older events are not stored anew: that needs {ROOM_BYTES >> 20} MiB of free disk"
                )
                return PAUSE_SECONDS
            left = self._store.renew()
        except StoreError as error:
            self._tell(f"older events are not stored anew now: {error}")
            return PAUSE_SECONDS
        waits = left == self._left
        self._first, self._left = self._first or left, left
        self._tell_progress()
        if not left:
            return None
        return PAUSE_SECONDS if waits else REST_TIMES * (self._clock() - began)

    def _tell_progress(self) -> None:
        if self._first:
            tenths = (self._first - self._left) * TENTHS // self._first
            self._tell(f"older events are stored anew, to take less disk: {tenths * 100 // TENTHS} % done")

    def _tell(self, text: str) -> None:
        if text != self._told:
            logger.warning("%s", text)
            self._told = text

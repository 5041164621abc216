"""Counts kept events while the server runs, in a thread that never takes more than a share of the time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from collector.base.background import BackgroundJob
from collector.store import EventStore, StoreError

logger = logging.getLogger("rollcall.collector")

# How long events wait at least. The more come together, the less of the disk each of them writes.
PAUSE_SECONDS = 10.0
# After each fold it rests so many times as long as that took: a fifth of the time is for counting.
REST_TIMES = 4


class Folder(BackgroundJob):
    """Counts now and then. What waits when it is stopped is counted by the next server."""

    def __init__(
        self,
        store: EventStore,
        *,
        pause: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("folder", pause)
        self._store, self._pause, self._clock = store, pause, clock
        self._failed = False

    def step(self) -> float:
        """Fold once; how long to rest then."""
        began = self._clock()
        counted = self._fold()
        rest = REST_TIMES * (self._clock() - began)
        return rest if counted else max(rest, self._pause)

    def _fold(self) -> int:
        try:
            counted = self._store.fold()
        except Exception as error:  # noqa: BLE001 - the thread must go on
            self._tell_failure(error)
            return 0
        if self._failed:
            logger.warning("events are counted again")
        self._failed = False
        return counted

    def _tell_failure(self, error: Exception) -> None:
        if not self._failed:
            known = isinstance(error, StoreError)
            logger.error("events are not counted: %s", error if known else type(error).__name__)
        self._failed = True

"""Purges events that are older than the setting KEEP, once a day while the server runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from collector.base.times import DAY_MS
from collector.store import StoreError, Stores
from collector.store.deletion import expire_events

logger = logging.getLogger("rollcall.collector")

FIRST_SECONDS = 60
DAY_SECONDS = 86_400


class Keeper:
    """Owns the thread that purges; without a time to keep events, there is none."""

    def __init__(self, stores: Stores, keep: int | None, now: Callable[[], float] = time.time) -> None:
        self._stores, self._keep, self._now = stores, keep, now
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._purge_until_stopped, name="keeper", daemon=True)

    def start(self, wait: float = FIRST_SECONDS) -> None:
        """Purge after some seconds, and then once a day."""
        self._wait = wait
        if self._keep is not None:
            self._thread.start()

    def stop(self) -> None:
        """Stop after the transaction that is open."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def purge(self) -> None:
        """Purge once."""
        now = int(self._now() * 1000)
        before = now - (self._keep or 0) * 1000
        before -= before % DAY_MS  # whole days: a day's heartbeats go at once
        try:
            count = expire_events(self._stores, before, now, self._go_on)
        except _Stopped:
            return
        except StoreError as error:
            logger.warning("old events were not purged: %s", error)
        else:
            logger.info("purged %d old events", count)

    def _go_on(self, _: int) -> None:
        if self._stopping.is_set():
            raise _Stopped

    def _purge_until_stopped(self) -> None:
        wait = self._wait
        while not self._stopping.wait(wait):
            self.purge()
            wait = DAY_SECONDS


class _Stopped(Exception):  # noqa: N818 - an outcome
    """The server stops; the next one goes on with the purge."""

"""Deletes what is older than the setting KEEP says, hourly while the server runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from collector.base.keep import Keep
from collector.base.times import DAY_MS
from collector.store import StoreError, Stores
from collector.store.deletion import expire_events
from collector.store.values import Cutoffs

logger = logging.getLogger("rollcall.collector")

FIRST_SECONDS = 60
HOUR_SECONDS = 3600


class Keeper:
    """Owns the thread that deletes; if everything is kept for ever, there is none."""

    def __init__(self, stores: Stores, keep: Keep, now: Callable[[], float] = time.time) -> None:
        self._stores, self._keep, self._now = stores, keep, now
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._expire_until_stopped, name="keeper", daemon=True)

    def start(self, wait: float = FIRST_SECONDS) -> None:
        """Delete after some seconds, and then hourly."""
        self._wait = wait
        if not self._keep.forever:
            self._thread.start()

    def stop(self) -> None:
        """Stop after the transaction that is open."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def expire(self) -> None:
        """Delete once."""
        now = int(self._now() * 1000)
        try:
            expired = expire_events(self._stores, cutoffs_of(self._keep, now), now, self._go_on)
        except _Stopped:
            return
        except StoreError as error:
            logger.warning("what is old was not deleted: %s", error)
            return
        if expired.deleted or expired.emails:
            counts = (expired.beats, expired.events, expired.emails)
            logger.info("deleted %d heartbeats, %d other events and %d e-mail addresses by age", *counts)

    def _go_on(self, _: int) -> None:
        if self._stopping.is_set():
            raise _Stopped

    def _expire_until_stopped(self) -> None:
        wait = self._wait
        while not self._stopping.wait(wait):
            self.expire()
            wait = HOUR_SECONDS


def cutoffs_of(keep: Keep, now: int) -> Cutoffs:
    """Where what is kept begins: with whole days, because a day's heartbeats go at once."""

    def begin(seconds: int) -> int:
        before = now - seconds * 1000
        return before - before % DAY_MS if seconds else 0

    return Cutoffs(begin(keep.heartbeats), begin(keep.events), begin(keep.emails))


class _Stopped(Exception):  # noqa: N818 - an outcome
    """The server stops; the next one goes on."""

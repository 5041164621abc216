"""Group commit: requests that arrive together share one transaction and one flush to the disk.

The event loop gives events to one thread, which reports when they are on disk. The caller limits how
much may wait (`ingest.memory`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from collector.base.events import Event
from collector.ingest.pace import Pace
from collector.store import EventStore, StoreError, StoreUnavailable

logger = logging.getLogger("rollcall.collector")

# Events per transaction: enough to share the flush, few enough to keep the wait short.
MOST_TOGETHER = 2000
# While several requests arrive together, the next group has this long to gather.
GATHER_SECONDS = 0.001


class Job(NamedTuple):
    """Events to store, the future that waits for them, and what to call when they leave memory."""

    events: list[Event]
    done: asyncio.Future[None]
    release: Callable[[], None]


@dataclass
class Tally:
    """What was written so far. Only the writer's thread changes it."""

    stored: int = 0
    repeated: int = 0
    commits: int = 0
    failures: int = 0


class Writer:
    """Owns the thread that writes."""

    def __init__(self, store: EventStore, timeout: float) -> None:
        self.tally = Tally()
        self.away = False  # the last attempt to store failed
        self._store, self._timeout = store, timeout
        self._jobs: deque[Job] = deque()
        self._waiting = 0  # events of these
        self._pace = Pace(store.pause_seconds)
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._write_until_stopped, name="writer", daemon=True)
        self._thread.start()

    async def keep(self, events: list[Event], release: Callable[[], None]) -> None:
        """Store these events, all or none; returns when they are on disk, or raises StoreError.

        `release` is called when they leave memory, which may be after a time-out.
        """
        loop = asyncio.get_running_loop()
        job = Job(events, loop.create_future(), release)
        timer = loop.call_later(self._timeout, _expire, job.done)
        with self._wake:
            self._jobs.append(job)
            self._waiting += len(events)
            self._wake.notify()
        try:
            await job.done
        finally:
            timer.cancel()

    def stop(self) -> None:
        """Write what waits, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _write_until_stopped(self) -> None:
        together = 0
        while jobs := self._next(GATHER_SECONDS if together > 1 else 0):
            together = len(jobs)
            error = self._write(jobs)
            if error is None or isinstance(error, StoreUnavailable) or len(jobs) == 1:
                _settle_jobs(jobs, error)
                continue
            for job in jobs:  # one of them cannot be stored: try each alone
                _settle_jobs([job], self._write([job]))

    def _next(self, gather: float) -> list[Job]:
        with self._wake:
            while not self._jobs and not self._stopping:
                self._wake.wait()
            while (left := self._pace.left()) and self._waiting < MOST_TOGETHER and not self._stopping:
                self._wake.wait(left)
        self._pace.note_write()
        if gather:
            time.sleep(gather)
        jobs: list[Job] = []
        size = 0
        with self._wake:
            while self._jobs and (not jobs or size + len(self._jobs[0].events) <= MOST_TOGETHER):
                jobs.append(self._jobs.popleft())
                size += len(jobs[-1].events)
            self._waiting -= size
        return jobs

    def _write(self, jobs: list[Job]) -> StoreError | None:
        events = [event for job in jobs for event in job.events]
        try:
            fresh = self._store.keep(events)
        except Exception as error:  # noqa: BLE001 - the thread must go on
            self.tally.failures += 1
            return self._failed(error)
        self.tally.stored += fresh
        self.tally.repeated += len(events) - fresh
        self.tally.commits += 1
        if self.away:
            self.away = False
            logger.warning("the store accepts events again")
        return None

    def _failed(self, error: Exception) -> StoreError:
        if not isinstance(error, StoreError):
            logger.error("the store failed with %s", type(error).__name__)
            return StoreError("the store failed")
        if not self.away:
            logger.error("the store accepts no events: %s", error)
        self.away = True
        return error


def _expire(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_exception(StoreUnavailable("the store did not answer in time"))


def _settle_jobs(jobs: list[Job], error: StoreError | None) -> None:
    """Finish these jobs on their event loop, in one call."""

    def settle() -> None:
        for _, done, release in jobs:
            release()
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    loop = jobs[0].done.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)

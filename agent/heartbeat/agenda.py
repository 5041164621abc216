"""Jobs of the `schedule` library, but at times on the boot clock (CLOCK_BOOTTIME).

The library compares naive local times, so daylight saving or a clock that is set would move every job.
Therefore `next_run` is computed from the boot clock right before each `run_pending`, and what the
library plans after a run is never used.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import schedule

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER = dt.datetime.max  # noqa: DTZ901 - what the library compares with


class Agenda:
    """A few named jobs, each due at a boot time or not at all."""

    def __init__(self, failed: Callable[[str, Exception], None]) -> None:
        self._scheduler = schedule.Scheduler()
        self._jobs: dict[str, schedule.Job] = {}
        self._due: dict[str, float | None] = {}
        self._failed = failed

    def add(self, name: str, work: Callable[[], None]) -> None:
        """Make `work` known as `name`. It is not due until `set` says so."""
        self._jobs[name] = self._scheduler.every().day.do(self._run, name, work)
        self._due[name] = None

    def set(self, name: str, due: float | None) -> None:
        """When `name` runs next (once), on the boot clock; None is never."""
        self._due[name] = due

    def due(self, name: str) -> float | None:
        """What `set` said last, or None once that has run."""
        return self._due[name]

    def run_due(self, now: float) -> None:
        """Run what is due, the longest overdue first."""
        first = self.next()
        if first is None or first > now:
            return
        local = dt.datetime.now()  # noqa: DTZ005 - what the library compares with
        for name, job in self._jobs.items():
            due = self._due[name]
            job.next_run = NEVER if due is None else local + dt.timedelta(seconds=due - now)
        self._scheduler.run_pending()

    def next(self) -> float | None:
        """When the next job is due."""
        return min((due for due in self._due.values() if due is not None), default=None)

    def _run(self, name: str, work: Callable[[], None]) -> None:
        self._due[name] = None
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the one boundary of a job
            self._failed(name, error)

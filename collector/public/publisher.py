"""Publishes the numbers of each week, in a thread beside the server."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from collector.base.background import BackgroundJob
from collector.base.times import DAY_MS, MONTH, WEEK
from collector.public.numbers import Weeks, public_sources, published_weeks, store_weeks
from collector.public.rounding import KINDS, Cell, Place, Truth, public_cells
from collector.store import StoreError, Stores

logger = logging.getLogger("rollcall.collector")

FIRST_SECONDS, PAUSE_SECONDS = 5.0, 60.0
# An install counts for the success rate of four weeks.
INSTALL_DAYS = 28
# How many weeks before it was switched on are published too, without versions and systems.
EARLIER = 52


class Publisher(BackgroundJob):
    """Looks every minute whether a week has begun that is to be published."""

    def __init__(self, stores: Stores, now: Callable[[], float] = time.time) -> None:
        super().__init__("publisher", FIRST_SECONDS)
        self._stores, self._clock = stores, now

    def step(self) -> float | None:
        """Publish what is due."""
        try:
            self.publish()
        except StoreError as error:
            logger.warning("public numbers wait: %s", error)
        except Exception as error:  # noqa: BLE001 - the thread must go on
            logger.warning("public numbers failed with %s", type(error).__name__)
        return PAUSE_SECONDS

    def publish(self) -> None:
        """Publish this week of each public source; for the first time, also the weeks before."""
        now = int(self._clock() * 1000)
        week = monday_of(now // DAY_MS)
        for source in public_sources(self._stores.control).values():
            known = published_weeks(self._stores.control, source)
            if week not in known:
                new: Weeks = {}
                for one in range(week - EARLIER * WEEK, week, WEEK) if not known else ():
                    _add_week(one, self._earlier(source, one), known, new)
                _add_week(week, self._truth(source, week, now), known, new)
                store_weeks(self._stores.control, source, new)  # at once: the weeks before come only now

    def _truth(self, source: int, week: int, now: int) -> Truth:
        """What is so now."""
        self._stores.events.counted_until()
        census = self._stores.events.census(source, now)
        words = dict(zip(KINDS, (census.versions, census.systems), strict=True))
        return Truth(census.active[MONTH, True], *self._installs(source, week), words)

    def _earlier(self, source: int, week: int) -> Truth:
        """What was so at the end of the day before a week."""
        by_day = self._stores.events.active_by_day(source, MONTH, week - 1, week - 1)
        return Truth(by_day[week - 1][1], *self._installs(source, week))

    def _installs(self, source: int, week: int) -> tuple[int, int]:
        self._go_on()
        return self._stores.events.instances_with_installs(source, week - INSTALL_DAYS, week - 1)


def _add_week(week: int, truth: Truth, known: Weeks, new: Weeks) -> None:
    cells = public_cells(truth, past_of((*known.values(), *new.values())))
    if truth.active or known or new:  # not the weeks before the first instance
        new[week] = cells


def monday_of(day: int) -> int:
    """The Monday of a day's week, both counted from 1970."""
    return day - (day + 3) % WEEK


def past_of(weeks: Iterable[dict[Place, Cell]]) -> dict[Place, list[Cell]]:
    """All numbers that were published in each place, the earliest first."""
    past: dict[Place, list[Cell]] = {}
    for week in weeks:
        for place, cell in week.items():
            past.setdefault(place, []).append(cell)
    return past

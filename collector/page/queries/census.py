"""The count of a source's instances, as views show it.

A small fleet is counted for every view. A large one is counted in the background, again and again, and
views show the last count. The store keeps that of production, so that the first view after a start need not
wait for one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from collector.base.background import BackgroundJob
from collector.base.environments import PRODUCTION
from collector.page.queries.sources import source_numbers
from collector.store import StoreError, Stores
from collector.store.fleet import Census

# A census that took longer than this is repeated in the background; views do not wait for it.
QUICK_SECONDS = 0.05
# It is repeated after this many times as long as it took, so that it needs 5 % of a core.
KEPT_TIMES = 20
# How often the background looks what is due.
PAUSE_SECONDS = 1.0
# How often it counts the small fleets too, because one may have grown large.
SURVEY_SECONDS = 60.0

# A source and an environment.
Fleet = tuple[int, str]


class CensusCache(BackgroundJob):
    """Counts the instances of a store; keeps the counts that took long, and renews them in the background."""

    def __init__(
        self,
        stores: Stores,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("census", PAUSE_SECONDS)
        self._stores, self._now, self._clock = stores, now, clock
        self._kept: dict[Fleet, tuple[float, Census]] = {}  # when it is due again, and the count
        self._surveyed = float("-inf")

    def census(self, source: int, now: int, environment: str = PRODUCTION) -> Census:
        """Counts of instances at this moment or, if counting takes long, of a moment ago."""
        fleet = (source, environment)
        due, kept = self._kept.get(fleet, (0.0, None))
        if kept is None:
            self._stores.events.counted_until()  # counts a few events that wait: that is no census' time
        began = self._clock()
        if kept is not None and kept.at <= now and (began < due or self.running):
            return kept
        census = self._count(fleet, now, began)
        if self.running and fleet in self._kept:
            self._kept[fleet] = (0.0, census)  # due at once, so that the store soon has it
        return census

    def start(self) -> None:
        """Begin with the counts that the store has kept; they are due at once."""
        with suppress(StoreError):
            known = self._stores.events.kept_censuses().items()
            self._kept = {(source, PRODUCTION): (0.0, kept) for source, kept in known}
        super().start()

    def step(self) -> float:
        """Count what is due; now and then every source, so that no view is the first to find one large."""
        at = self._clock()
        wanted = [fleet for fleet, (due, _) in list(self._kept.items()) if due <= at]
        if at - self._surveyed >= SURVEY_SECONDS:
            self._surveyed = at
            fleets = [(source, PRODUCTION) for source in self._sources()]
            wanted = [fleet for fleet in fleets if fleet not in self._kept] + wanted
        for fleet in wanted:
            self._go_on()
            with suppress(StoreError):
                self._renew(fleet)
        return PAUSE_SECONDS

    def _renew(self, fleet: Fleet) -> None:
        was_kept = fleet in self._kept
        self._stores.events.counted_until()
        census = self._count(fleet, int(self._now() * 1000), self._clock())
        source, environment = fleet
        if environment != PRODUCTION:
            return
        if fleet in self._kept:
            self._stores.events.keep_census(source, census)
        elif was_kept:
            self._stores.events.keep_census(source, None)

    def _count(self, fleet: Fleet, now: int, began: float) -> Census:
        source, environment = fleet
        census = self._stores.events.within(environment).census(source, now)
        took = self._clock() - began
        if took > QUICK_SECONDS:
            self._kept[fleet] = (began + took * (KEPT_TIMES + 1), census)
        else:
            self._kept.pop(fleet, None)
        return census

    def _sources(self) -> list[int]:
        with suppress(StoreError):
            return source_numbers(self._stores.control)
        return []

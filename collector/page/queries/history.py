"""The history of a source's fleet, as views show it: counted, kept, and counted anew in the background."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from collector.base.background import BackgroundJob
from collector.base.environments import PRODUCTION
from collector.page.queries.census import Fleet
from collector.store import StoreError, Stores
from collector.store.history import FleetHistory

# A history that took longer than this is kept.
QUICK_SECONDS = 0.05
# It is kept for this many times as long as it took, so that counting needs 2 % of a core.
KEPT_TIMES = 50
PAUSE_SECONDS = 0.5
# A view waits for the first count of so many instances. More are counted in the background.
WAITED_FOR = 3000


class HistoryCache(BackgroundJob):
    """Counts histories. A large one is counted in the background, once somebody has asked for it."""

    def __init__(self, stores: Stores, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("history", PAUSE_SECONDS)
        self._stores, self._clock = stores, clock
        self._kept: dict[Fleet, tuple[float, FleetHistory]] = {}  # when it is due again
        self._wanted: set[Fleet] = set()

    def history(self, source: int, instances: int, environment: str = PRODUCTION) -> FleetHistory | None:
        """The history of a fleet that has so many instances; None while it is counted for the first time."""
        fleet = (source, environment)
        due, kept = self._kept.get(fleet, (0.0, None))
        if kept is not None and self._clock() < due:
            return kept
        if self.running and (kept is not None or instances > WAITED_FOR):
            self._wanted.add(fleet)
            return kept
        return self._count(fleet)

    def step(self) -> float:
        """Count those that somebody has asked for."""
        while self._wanted:
            self._go_on()
            with suppress(StoreError):
                self._count(self._wanted.pop())
        return PAUSE_SECONDS

    def _count(self, fleet: Fleet) -> FleetHistory:
        began = self._clock()
        source, environment = fleet
        history = self._stores.events.within(environment).fleet_history(source)
        took = self._clock() - began
        if took > QUICK_SECONDS:
            self._kept[fleet] = (began + took * (KEPT_TIMES + 1), history)
        else:
            self._kept.pop(fleet, None)
        return history

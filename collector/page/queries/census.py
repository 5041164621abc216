"""The instances of a source, counted at one moment: active, silent, new and returning ones, their versions.

Each number comes from passes over the instances, never over their events. A small fleet is counted for every
view. A large one is counted in the background, again and again, and views show the last count.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from collector.base.times import DAY_MS
from collector.page.queries.instances import GONE_MS, SILENT_MS
from collector.page.queries.sources import Source, all_sources
from collector.store import Store, StoreError
from collector.store.rollups import SPANS
from collector.store.rows import ESTABLISHED_MS, system_name
from collector.store.words import OTHER

# A census that took longer than this is repeated in the background; views do not wait for it.
QUICK_SECONDS = 0.05
# It is repeated after this many times as long as it took, so that it needs 5 % of a core.
KEPT_TIMES = 20
# How often the background looks what is due.
PAUSE_SECONDS = 1.0
# How often it counts the small fleets too, because one may have grown large.
SURVEY_SECONDS = 60.0
# Combinations of version and system that are read; the rest counts as OTHER.
MOST_SYSTEMS = 1000

_ESTABLISHED = f"last_seen - first_seen > {ESTABLISHED_MS}"


@dataclass
class Census:
    """Counts of instances at one moment, with established and short-lived ones apart."""

    at: int
    active: Counter[tuple[int, bool]] = field(default_factory=Counter)  # (span in days, established)
    states: Counter[tuple[str, bool]] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)  # of those active in 30 days and established
    systems: Counter[str] = field(default_factory=Counter)
    first_days: Counter[int] = field(default_factory=Counter)  # established ones by the day they were
    last_days: Counter[int] = field(default_factory=Counter)  # first seen, and last seen

    def new(self, first: int, last: int) -> int:
        """Established instances that were first seen on these days."""
        return sum(n for day, n in self.first_days.items() if first <= day <= last)

    def returning(self, first: int) -> int:
        """Established instances that were first seen before this day, and seen since."""
        seen = sum(n for day, n in self.last_days.items() if day >= first)
        return seen - sum(n for day, n in self.first_days.items() if day >= first)


def take_census(store: Store, source: int, now: int) -> Census:
    """Count the instances of a source."""
    census = Census(now)
    _count_states(store, source, census)
    _count_systems(store, source, census)
    for column, counter in (("first_seen", census.first_days), ("last_seen", census.last_days)):
        days = f"SELECT {column} / {DAY_MS}, COUNT(*) FROM instances WHERE source = ? AND {_ESTABLISHED}"
        counter.update(dict(store.all(f"{days} GROUP BY 1", source)))
    return census


class CensusCache:
    """Counts the instances of a store; keeps the counts that took long, and renews them in the background."""

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._now, self._clock = store, now, clock
        self._kept: dict[int, tuple[float, Census]] = {}  # when it is due again, and the count
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_stopped, name="census", daemon=True)

    def census(self, source: int, now: int) -> Census:
        """Counts of instances at this moment or, if counting takes long, of a moment ago."""
        began = self._clock()
        due, kept = self._kept.get(source, (0.0, None))
        if kept is not None and kept.at <= now and (began < due or self._thread.is_alive()):
            return kept
        return self._count(source, now, began)

    def start(self) -> None:
        """Count every source now and then, so that no view is the first to find one large."""
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _count(self, source: int, now: int, began: float) -> Census:
        census = take_census(self._store, source, now)
        took = self._clock() - began
        if took > QUICK_SECONDS:
            self._kept[source] = (began + took * (KEPT_TIMES + 1), census)
        else:
            self._kept.pop(source, None)
        return census

    def _renew_until_stopped(self) -> None:
        surveyed = float("-inf")
        while not self._stopping.wait(PAUSE_SECONDS):
            at = self._clock()
            wanted = [source for source, (due, _) in list(self._kept.items()) if due <= at]
            if at - surveyed >= SURVEY_SECONDS:
                surveyed = at
                wanted = [source.id for source in self._sources() if source.id not in self._kept] + wanted
            for source in wanted:
                with suppress(StoreError):
                    self._count(source, int(self._now() * 1000), self._clock())

    def _sources(self) -> list[Source]:
        with suppress(StoreError):
            return all_sources(self._store)
        return []


def _count_states(store: Store, source: int, census: Census) -> None:
    spans = ", ".join(f"SUM(CASE WHEN last_beat > ? - {span * DAY_MS} THEN 1 ELSE 0 END)" for span in SPANS)
    sql = (
        f"SELECT CASE WHEN {_ESTABLISHED} THEN 1 ELSE 0 END AS established,"
        " CASE WHEN last_beat IS NULL THEN 'never' WHEN last_beat <= ? THEN 'gone'"
        f" WHEN last_beat <= ? THEN 'silent' ELSE 'beating' END AS state, COUNT(*), {spans}"
        " FROM instances WHERE source = ? GROUP BY established, state"
    )
    now = census.at
    for lasting, state, n, *active in store.all(sql, now - GONE_MS, now - SILENT_MS, now, now, now, source):
        established = bool(lasting)
        census.states[state, established] += int(n)
        for span, alive in zip(SPANS, active, strict=True):
            census.active[span, established] += int(alive)


def _count_systems(store: Store, source: int, census: Census) -> None:
    """Versions and systems, as many as are read; the rest of those that count is OTHER."""
    span = SPANS[-1]
    sql = (
        f"SELECT version, os, os_version, COUNT(*) FROM instances WHERE source = ? AND {_ESTABLISHED}"
        " AND last_beat > ? GROUP BY version, os, os_version ORDER BY 4 DESC, 1, 2, 3 LIMIT ?"
    )
    rest = census.active[span, True]
    for version, os, os_version, n in store.all(sql, source, census.at - span * DAY_MS, MOST_SYSTEMS):
        census.versions[version] += int(n)
        census.systems[system_name(os, os_version)] += int(n)
        rest -= int(n)
    if rest > 0:
        census.versions[OTHER] += rest
        census.systems[OTHER] += rest

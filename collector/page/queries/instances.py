"""Instances: active, silent, returning ones, and the heartbeats of one instance.

Charts use counters by day. The current numbers come from one pass over the instances (not over their
events); the result is cached if that takes long.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from collector.base.times import DAY_MS
from collector.page.period import Period
from collector.store import Store, schema
from collector.store.rollups import ESTABLISHED_MS, SLOT_MS, SLOTS_A_DAY, SPANS, InstanceRow

# Two missed heartbeats: twice the interval of the agent, plus its jitter.
SILENT_MS = 2 * SLOT_MS + 15 * 60_000
GONE_MS = 30 * DAY_MS
STATES = ("beating", "silent", "gone", "never")

# A census is cached for this many times as long as it took, so that it needs 5 % of a core.
KEPT_TIMES = 20

_COLUMNS = ", ".join(schema.INSTANCES.names)


@dataclass
class Census:
    """Counts of instances at one moment, with established and short-lived ones apart."""

    at: int
    active: Counter[tuple[int, bool]] = field(default_factory=Counter)  # (span in days, established)
    states: Counter[tuple[str, bool]] = field(default_factory=Counter)
    systems: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # active in 30 days, established
    new: int = 0
    returning: int = 0


class Instance(InstanceRow):
    """One installation that reported."""

    def state(self, now: int) -> str:
        """`beating`, `silent` (two beats missed), `gone` (30 days) or `never`, by its last heartbeat."""
        if self.last_beat is None:
            return "never"
        if self.last_beat <= now - GONE_MS:
            return "gone"
        return "silent" if self.last_beat <= now - SILENT_MS else "beating"

    def beat_in(self, slot: int) -> bool:
        """Whether it sent a heartbeat in a slot of six hours, counted from 1970."""
        offset = slot - self.first_day * SLOTS_A_DAY
        return offset >= 0 and bool(self.slots >> offset & 1)


class CensusCache:
    """Counts the instances of a store, and caches the results that took long."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._kept: dict[tuple[int, int, int], tuple[float, Census]] = {}

    def census(self, source: int, since: int, until: int, now: int) -> Census:
        """Counts of instances: active now, new between two times, returning since the first."""
        began = self._clock()
        key = (source, since, until)
        fresh, kept = self._kept.get(key, (0.0, None))
        if kept is not None and began < fresh and kept.at <= now:
            return kept
        taken = take_census(self._store, source, since, until, now)
        took = self._clock() - began
        self._kept = {one: kept for one, kept in list(self._kept.items()) if began < kept[0]}
        if took > 0.05:  # noqa: PLR2004 - seconds; a quick one is not cached, and so always exact
            self._kept[key] = (began + took * (KEPT_TIMES + 1), taken)
        return taken


def take_census(store: Store, source: int, since: int, until: int, now: int) -> Census:
    """One pass over the instances of a source."""
    spans = ", ".join(f"SUM(CASE WHEN last_beat > ? - {span * DAY_MS} THEN 1 ELSE 0 END)" for span in SPANS)
    sql = (
        f"SELECT CASE WHEN last_seen - first_seen > {ESTABLISHED_MS} THEN 1 ELSE 0 END AS established,"
        " CASE WHEN last_beat IS NULL THEN 'never' WHEN last_beat <= ? THEN 'gone'"
        " WHEN last_beat <= ? THEN 'silent' ELSE 'beating' END AS state, version, os, os_version, COUNT(*),"
        " SUM(CASE WHEN first_seen >= ? AND first_seen < ? THEN 1 ELSE 0 END),"
        f" SUM(CASE WHEN first_seen < ? AND last_seen >= ? THEN 1 ELSE 0 END), {spans}"
        " FROM instances WHERE source = ? GROUP BY established, state, version, os, os_version"
    )
    values = (now - GONE_MS, now - SILENT_MS, since, until, since, since, now, now, now, source)
    census = Census(now)
    for lasting, state, version, os, os_version, n, new, returning, *active in store.all(sql, *values):
        established = bool(lasting)
        census.states[state, established] += int(n)
        for span, alive in zip(SPANS, active, strict=True):
            census.active[span, established] += int(alive)
        if established:
            census.new += int(new)
            census.returning += int(returning)
            if active[-1]:
                census.systems[version, os, os_version] += int(active[-1])
    return census


def active_by_day(store: Store, source: int, span: int, first: int, last: int) -> dict[int, tuple[int, int]]:
    """For each day, the instances active in the `span` days up to it: (short-lived, established)."""
    sql = (
        "SELECT CASE WHEN day < ? THEN ? ELSE day END AS on_day, established, SUM(n) FROM active"
        " WHERE source = ? AND span = ? AND day <= ? GROUP BY on_day, established"
    )
    changes: Counter[tuple[int, int]] = Counter()
    for day, established, n in store.all(sql, first, first, source, span, last):
        changes[day, established] += int(n)
    found: dict[int, tuple[int, int]] = {}
    short = lasting = 0
    for day in range(first, last + 1):
        short, lasting = short + changes[day, 0], lasting + changes[day, 1]
        found[day] = (short, lasting)
    return found


def new_instances_by_week(store: Store, source: int, first_week: int) -> dict[int, int]:
    """Established instances by the week of their first event."""
    sql = "SELECT cohort, n FROM cohorts WHERE source = ? AND established = 1 AND cohort >= ? AND n > 0"
    return {cohort: int(n) for cohort, n in store.all(sql, source, first_week)}


def retention_by_week(store: Store, source: int, first_week: int) -> dict[tuple[int, int], int]:
    """Of each cohort, by week: how many of its established instances beat in it."""
    sql = (
        "SELECT cohort, week, n FROM retention WHERE source = ? AND established = 1 AND cohort >= ? AND n > 0"
    )
    return {(cohort, week): int(n) for cohort, week, n in store.all(sql, source, first_week)}


def list_instances(
    store: Store, source: int, state: str, period: Period, now: int, before: tuple[int, bytes], most: int
) -> list[Instance]:
    """Instances in a state, the latest seen first; `before` is the time and the id of the last one before."""
    where, values = _filter(state, period.from_ms, period.until_ms, now)
    sql = (
        f"SELECT {_COLUMNS} FROM instances WHERE source = ? AND (last_seen, id) < (?, ?){where}"
        " ORDER BY last_seen DESC, id DESC LIMIT ?"
    )
    return [_instance(row) for row in store.all(sql, source, *before, *values, most)]


def find_instance(store: Store, source: int, key: bytes) -> Instance | None:
    rows = store.all(f"SELECT {_COLUMNS} FROM instances WHERE source = ? AND id = ?", source, key)
    return _instance(rows[0]) if rows else None


def _filter(state: str, since: int, until: int, now: int) -> tuple[str, tuple[int, ...]]:
    lasting = f" AND last_seen - first_seen > {ESTABLISHED_MS}"
    filters: dict[str, tuple[str, tuple[int, ...]]] = {
        "beating": (lasting + " AND last_beat > ?", (now - SILENT_MS,)),
        "silent": (lasting + " AND last_beat <= ? AND last_beat > ?", (now - SILENT_MS, now - GONE_MS)),
        "gone": (lasting + " AND last_beat <= ?", (now - GONE_MS,)),
        "never": (" AND last_beat IS NULL", ()),
        "new": (lasting + " AND first_seen >= ? AND first_seen < ?", (since, until)),
        "returning": (lasting + " AND first_seen < ? AND last_seen >= ?", (since, since)),
        "short-lived": (f" AND last_seen - first_seen <= {ESTABLISHED_MS}", ()),
    }
    return filters.get(state, ("", ()))


def _instance(row: tuple[Any, ...]) -> Instance:
    return Instance(*(row[0], bytes(row[1]), *row[2:7], int.from_bytes(row[7], "little"), *row[8:]))

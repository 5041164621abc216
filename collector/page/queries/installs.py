"""Runs of install scripts: counted, listed, and grouped by where they failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collector.base.times import DAY_MS
from collector.page.period import Period
from collector.store import Store, schema
from collector.store.rollups import RunRow

SEPARATOR = "\x1f"
# A run counts as given up if no end has arrived after this time.
GIVE_UP_MS = DAY_MS

# Open runs that began less than a day ago. They are counted in the same statement as the others,
# because an install may start or end between two statements.
RUNNING = "running"

RUN = ", ".join(schema.RUNS.names)


@dataclass
class RunCounts:
    """Runs by how they ended. Open runs count as running for a day, then as given up."""

    succeeded: int = 0
    failed: int = 0
    given_up: int = 0
    running: int = 0

    @property
    def started(self) -> int:
        return self.succeeded + self.failed + self.given_up + self.running

    @property
    def rate(self) -> float | None:
        """The share of finished runs that succeeded."""
        over = self.started - self.running
        return self.succeeded / over if over else None

    def merge(self, other: RunCounts) -> None:
        """Count the other's runs as well."""
        self.succeeded += other.succeeded
        self.failed += other.failed
        self.given_up += other.given_up
        self.running += other.running

    def add(self, outcome: str, n: int) -> None:
        """Add n runs with an outcome from the store; RUNNING moves open runs from given up to running."""
        if outcome == "success":
            self.succeeded += n
        elif outcome == "errors":
            self.failed += n
        elif outcome == RUNNING:
            self.running += n
            self.given_up -= n
        else:
            self.given_up += n


class Run(RunRow):
    """One run of an install script."""

    @property
    def place(self) -> Place:
        end = self.signal or (None if self.exit_code is None else str(self.exit_code)) or self.reason or ""
        return Place(self.script or "", "" if self.line is None else str(self.line), self.command or "", end)

    def state(self, now: int) -> str:
        """`succeeded`, `failed`, `running` or `given up`."""
        if self.outcome:
            return "succeeded" if self.outcome == "success" else "failed"
        return "running" if (self.began or 0) > now - GIVE_UP_MS else "given up"


@dataclass(frozen=True, order=True)
class Place:
    """Where and how runs failed; failures at one place are one group."""

    script: str
    line: str
    command: str
    end: str  # signal, exit code or reason

    @property
    def key(self) -> str:
        """The text by which the store finds it."""
        return SEPARATOR.join((self.script, self.line, self.command, self.end))


@dataclass
class Failure:
    """The runs that failed at one place within a period."""

    place: Place
    runs: int
    instances: int
    last_seen: int
    first_seen: int  # ever, not only within the period


def counts_by_day(store: Store, source: int, first: int, last: int, now: int) -> dict[int, RunCounts]:
    sql = (
        "SELECT day, outcome, SUM(n) FROM outcomes WHERE source = ? AND day BETWEEN ? AND ?"
        f" GROUP BY day, outcome UNION ALL SELECT began / {DAY_MS} AS day, '{RUNNING}', COUNT(*) FROM runs"
        " WHERE source = ? AND outcome IS NULL AND began >= ? AND began < ? GROUP BY 1"
    )
    days: dict[int, RunCounts] = {}
    for day, outcome, n in store.all(sql, source, first, last, source, *_running(first, last, now)):
        days.setdefault(day, RunCounts()).add(outcome, int(n))
    return days


def counts_by_system(
    store: Store, source: int, period: Period, now: int
) -> dict[tuple[str, str, str], RunCounts]:
    """Runs that began in a period, by version, os and os version."""
    sql = (
        "SELECT version, os, os_version, outcome, SUM(n) FROM outcomes"
        " WHERE source = ? AND day BETWEEN ? AND ? GROUP BY version, os, os_version, outcome"
        f" UNION ALL SELECT version, os, os_version, '{RUNNING}', COUNT(*) FROM runs"
        " WHERE source = ? AND outcome IS NULL AND began >= ? AND began < ? GROUP BY version, os, os_version"
    )
    running = _running(period.first, period.last, now)
    found: dict[tuple[str, str, str], RunCounts] = {}
    for *key, outcome, n in store.all(sql, source, period.first, period.last, source, *running):
        found.setdefault((key[0], key[1], key[2]), RunCounts()).add(outcome, int(n))
    return {key: counts for key, counts in found.items() if counts.started}


def worst_failures(store: Store, source: int, period: Period, most: int) -> list[Failure]:
    """The places where most of the runs that began in a period failed, the worst first."""
    # Without statistics, SQLite would choose the index over all runs.
    index = " INDEXED BY runs_failed" if store.dialect == "sqlite" else ""
    sql = (
        f"SELECT place, COUNT(*), COUNT(DISTINCT instance), MAX(ended) FROM runs{index}"
        " WHERE source = ? AND outcome = 'errors' AND began >= ? AND began < ?"
        " GROUP BY place ORDER BY 3 DESC, 2 DESC, 4 DESC LIMIT ?"
    )
    rows = store.all(sql, source, period.from_ms, period.until_ms, most)
    first = _first_seen(store, source, [row[0] for row in rows])
    return [Failure(_place(key), n, who, last, first[key]) for key, n, who, last in rows]


def find_failure(store: Store, source: int, period: Period, place: Place) -> Failure | None:
    """The failures at one place within a period; None if no run has ever failed there."""
    sql = (
        "SELECT COUNT(*), COUNT(DISTINCT instance), MAX(ended) FROM runs"
        " WHERE source = ? AND outcome = 'errors' AND place = ? AND began >= ? AND began < ?"
    )
    n, who, last = store.all(sql, source, place.key, period.from_ms, period.until_ms)[0]
    first = _first_seen(store, source, [place.key]).get(place.key)
    return Failure(place, n, who, last or 0, first) if first else None


def failure_trends(
    store: Store, source: int, period: Period, places: Sequence[Place]
) -> dict[str, dict[int, int]]:
    """Failed runs at these places, by the place's key and the day on which they began."""
    keys = [place.key for place in places]
    found: dict[str, dict[int, int]] = {key: {} for key in keys}
    if not found:
        return found
    sql = (
        f"SELECT place, began / {DAY_MS} AS day, COUNT(*) FROM runs"
        f" WHERE source = ? AND outcome = 'errors' AND began >= ? AND began < ?"
        f" AND place IN ({_marks(keys)}) GROUP BY place, day"
    )
    first = period.bars()[0][0] * DAY_MS
    for key, day, n in store.all(sql, source, first, period.until_ms, *keys):
        found[key][day] = n
    return found


def runs_failed_at(store: Store, source: int, place: Place, most: int) -> list[Run]:
    sql = (
        f"SELECT {RUN} FROM runs WHERE source = ? AND outcome = 'errors' AND place = ?"
        " ORDER BY began DESC LIMIT ?"
    )
    return [run_of(row) for row in store.all(sql, source, place.key, most)]


def latest_runs(store: Store, source: int, before: int, most: int) -> list[Run]:
    sql = f"SELECT {RUN} FROM runs WHERE source = ? AND began < ? ORDER BY began DESC LIMIT ?"
    return [run_of(row) for row in store.all(sql, source, before, most)]


def find_run(store: Store, source: int, key: bytes) -> Run | None:
    rows = store.all(f"SELECT {RUN} FROM runs WHERE source = ? AND id = ?", source, key)
    return run_of(rows[0]) if rows else None


def runs_of_instance(store: Store, source: int, instance: bytes, most: int) -> list[Run]:
    """The runs of an instance, the latest first."""
    sql = (
        f"SELECT {RUN} FROM runs WHERE source = ? AND instance = ?"
        f" ORDER BY coalesce(began, asked) DESC LIMIT ?"
    )
    return [run_of(row) for row in store.all(sql, source, instance, most)]


def _running(first: int, last: int, now: int) -> tuple[int, int]:
    """The time range in which a run of these days began if it may still be running."""
    return max(first * DAY_MS, now - GIVE_UP_MS + 1), (last + 1) * DAY_MS


def _first_seen(store: Store, source: int, keys: Sequence[str]) -> dict[str, int]:
    """When runs first failed at these places, ever."""
    if not keys:
        return {}
    sql = (
        "SELECT place, MIN(ended) FROM runs WHERE source = ? AND outcome = 'errors'"
        f" AND place IN ({_marks(keys)}) GROUP BY place"
    )
    return dict(store.all(sql, source, *keys))


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _place(key: str) -> Place:
    script, line, command, end = key.split(
        SEPARATOR, 3
    )  # a client may send further separators; they stay in `end`
    return Place(script, line, command, end)


def run_of(row: tuple[Any, ...]) -> Run:
    """A run from its row of RUN."""
    return Run(row[0], bytes(row[1]), bytes(row[2]), *row[3:])

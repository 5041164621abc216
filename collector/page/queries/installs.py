"""Runs of install scripts: counted, listed, and grouped by where they failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collector.base.times import DAY_MS
from collector.page.period import Period
from collector.store import Store, schema
from collector.store.rows import RunRow
from collector.store.schema import SEPARATOR
from collector.store.words import OTHER

# A run counts as given up if no end has arrived after this time.
GIVE_UP_MS = DAY_MS

# Open runs that began less than a day ago. They are counted in the same statement as the others,
# because an install may start or end between two statements.
RUNNING = "running"
# So many are read. With more, the earliest count as given up.
MOST_RUNNING = 5_000

# Versions or systems of a table; the rest is one row.
MOST_ROWS = 200
# Instances that failed at a place are counted among so many of its latest runs; on its own page among more.
COUNTED, COUNTED_ALONE = 1_000, 10_000

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
        "SELECT day, outcome, SUM(n) FROM outcomes WHERE source = ? AND kind = 'all' AND day BETWEEN ? AND ?"
        f" GROUP BY day, outcome UNION ALL SELECT began / {DAY_MS} AS day, '{RUNNING}', COUNT(*)"
        f" FROM {_running(store)} GROUP BY 1"
    )
    days: dict[int, RunCounts] = {}
    values = (source, first, last, source, *_running_times(first, last, now), MOST_RUNNING)
    for day, outcome, n in store.all(sql, *values):
        days.setdefault(day, RunCounts()).add(outcome, int(n))
    return days


def counts_by_word(
    store: Store, source: int, kind: str, period: Period, now: int
) -> list[tuple[str, RunCounts]]:
    """Runs that began in a period by version or by system, the most frequent first, and the rest as OTHER."""
    word = {"version": "version", "system": "trim(os || ' ' || os_version)"}[kind]
    counted = "SUM(CASE outcome WHEN '{0}' THEN n ELSE 0 END)".format
    sums = f"{counted('success')}, {counted('errors')}, {counted('open')}"
    where = "WHERE source = ? AND kind = ? AND day BETWEEN ? AND ?"
    sql = (
        f"SELECT * FROM (SELECT word, {sums}, 0 AS running FROM outcomes {where} AND word <> ?"
        " GROUP BY word HAVING SUM(n) > 0 ORDER BY SUM(n) DESC, word LIMIT ?) AS words"
        f" UNION ALL SELECT NULL, {sums}, 0 FROM outcomes {where} GROUP BY kind"
        f" UNION ALL SELECT {word}, 0, 0, 0, COUNT(*) FROM {_running(store)} GROUP BY 1"
    )
    days = (period.first, period.last)
    values = (source, kind, *days, OTHER, MOST_ROWS, source, "all", *days)
    running = (source, *_running_times(*days, now), MOST_RUNNING)
    return _listed(store.all(sql, *values, *running))


def worst_failures(store: Store, source: int, period: Period, most: int) -> list[Failure]:
    """The places where most of the runs that began in a period failed, the worst first."""
    sql = (
        "SELECT word, SUM(n) FROM outcomes WHERE source = ? AND kind = 'place' AND day BETWEEN ? AND ?"
        " AND word <> ? GROUP BY word HAVING SUM(n) > 0 ORDER BY 2 DESC, 1 LIMIT ?"
    )
    runs: dict[str, int] = dict(store.all(sql, source, period.first, period.last, OTHER, most))
    failures = _failures(store, source, period, list(runs), COUNTED)
    for failure in failures:
        failure.runs = max(failure.runs, int(runs[failure.place.key]))
    return sorted(failures, key=lambda one: (one.instances, one.runs, one.last_seen), reverse=True)


def find_failure(store: Store, source: int, period: Period, place: Place) -> Failure | None:
    """The failures at one place within a period; None if no run has ever failed there."""
    found = _failures(store, source, period, [place.key], COUNTED_ALONE)
    if found:
        by_day = failure_trends(store, source, period, [place])[place.key]
        counted = sum(n for day, n in by_day.items() if period.first <= day <= period.last)
        found[0].runs = max(found[0].runs, counted)
    return found[0] if found else None


def failure_trends(
    store: Store, source: int, period: Period, places: Sequence[Place]
) -> dict[str, dict[int, int]]:
    """Failed runs at these places, by the place's key and the day on which they began."""
    keys = [place.key for place in places]
    found: dict[str, dict[int, int]] = {key: {} for key in keys}
    if not found:
        return found
    sql = (
        "SELECT word, day, SUM(n) FROM outcomes WHERE source = ? AND kind = 'place'"
        f" AND day BETWEEN ? AND ? AND word IN ({_marks(keys)}) GROUP BY word, day"
    )
    for key, day, n in store.all(sql, source, period.bars()[0][0], period.last, *keys):
        found[key][day] = int(n)
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
        " ORDER BY coalesce(started, ended, asked) DESC LIMIT ?"
    )
    return [run_of(row) for row in store.all(sql, source, instance, most)]


def _running(store: Store) -> str:
    """The open runs of a source that began within two times, at most so many."""
    index = " INDEXED BY runs_open" if store.dialect == "sqlite" else ""
    return (
        f"(SELECT began, version, os, os_version FROM runs{index} WHERE source = ? AND outcome IS NULL"
        " AND began >= ? AND began < ? ORDER BY began DESC LIMIT ?) AS open_runs"
    )


def _running_times(first: int, last: int, now: int) -> tuple[int, int]:
    """The time range in which a run of these days began if it may still be running."""
    return max(first * DAY_MS, now - GIVE_UP_MS + 1), (last + 1) * DAY_MS


def _listed(rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, RunCounts]]:
    """Counts by word, from rows of words, of the total (without a word) and of running installs."""
    total, found, running = RunCounts(), {}, Counter[str]()
    for word, *ended, n in rows:
        counts = RunCounts(*map(int, ended))
        if word is None:
            total.merge(counts)
        elif n:
            running[word] += n
        else:
            found[word] = counts
    rest = RunCounts()
    for name in ("succeeded", "failed", "given_up"):
        listed = sum(getattr(counts, name) for counts in found.values())
        setattr(rest, name, getattr(total, name) - listed)
    for word, n in running.items():
        found.get(word, rest).add(RUNNING, n)
    ranked = sorted(found.items(), key=lambda item: (-item[1].started, item[0]))
    return [*ranked, (OTHER, rest)] if rest.started else ranked


def _failures(store: Store, source: int, period: Period, keys: Sequence[str], most: int) -> list[Failure]:
    """The failures at each place within a period, among the latest so many; none where no run ever failed."""
    if not keys:
        return []
    index = " INDEXED BY runs_by_place" if store.dialect == "sqlite" else ""
    at = f"FROM runs{index} WHERE source = ? AND outcome = 'errors' AND place = ?"
    latest = (
        f"SELECT COUNT(*), COUNT(DISTINCT instance), MAX(ended),"
        f" (SELECT ended {at} ORDER BY began LIMIT 1), CAST(? AS INTEGER)"
        f" FROM (SELECT instance, ended {at} AND began >= ? AND began < ?"
        " ORDER BY began DESC LIMIT ?) AS latest"
    )
    values: list[Any] = []
    for number, key in enumerate(keys):
        values += [source, key, number, source, key, period.from_ms, period.until_ms, most]
    return [
        Failure(_place(keys[number]), n, who, last or 0, first)
        for n, who, last, first, number in store.all(" UNION ALL ".join([latest] * len(keys)), *values)
        if first
    ]


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

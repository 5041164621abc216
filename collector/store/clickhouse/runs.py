"""Runs of install scripts: counted, listed, and grouped by where they failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from collector.base.events import BEAT, ERRORS, STARTED, SUCCESS, SUPPORT
from collector.base.times import DAY_MS
from collector.store.clickhouse.number_cache import cached_if_large
from collector.store.clickhouse.packing import read_end, read_request
from collector.store.clickhouse.part import ClickHousePart
from collector.store.clickhouse.past import Past, latest
from collector.store.clickhouse.text import Row, filled
from collector.store.rows import system_name
from collector.store.runs import GIVE_UP_MS, LATEST, Failure, Place, Run, RunCounts, RunsEnd, place_of
from collector.store.stretch import Stretch
from collector.store.words import OTHER

# Versions or systems of a table; the rest is one row. Combinations that are read for it.
MOST_ROWS, MOST_WORDS_READ = 200, 10_000

WHOLE = (
    "run, owner, system.1 AS s1, system.2 AS s2, system.3 AS s3, started_at, ending.1 AS e1, ending.2 AS e2,"
    " ending.3 AS e3, request.1 AS r1, request.2 AS r2,"
    " environment"
)
BEGAN = "if(started_at > 0, started_at, ending.1)"
DAY = f"intDiv({BEGAN}, {DAY_MS})"
FAILED = "ending.3 <> ''"
# The place is there for failures alone.
_COUNTS = (
    f"countIf(ending.1 > 0 AND ending.3 = '') AS ok, countIf({FAILED}) AS bad,"
    f" countIf(ending.1 = 0 AND {BEGAN} <= {{0}}) AS given_up,"
    f" countIf(ending.1 = 0 AND {BEGAN} > {{0}}) AS running"
)
_WORDS = {"version": "system.1 AS word", "system": "system.2 AS word, system.3 AS more"}


def told_of_runs(where: str) -> str:
    """What the events say that meet a condition, by source and run."""
    named = {name: filled("name = ?", [name]) for name in (BEAT, STARTED, SUPPORT)}
    is_end = filled("name IN ?", [(SUCCESS, ERRORS)])
    return (
        "SELECT source AS of_source, assumeNotNull(run) AS of_run, max(assumeNotNull(who)) AS told_owner,"
        " max((version, os, os_version)) AS told_system,"
        f" minIf(time, {named[STARTED]}) AS told_start,"
        f" maxIf((time, told, place), {is_end}) AS told_end,"
        f" maxIf((time, told), {named[SUPPORT]}) AS told_request, max(environment) AS told_environment"
        # PREWHERE: all rows of an event have the same run, and of heartbeats no other column is read.
        " FROM events FINAL PREWHERE run IS NOT NULL WHERE telling = 1 AND who IS NOT NULL"
        f" AND NOT ({named[BEAT]}) AND {where} GROUP BY of_source, of_run"
    )


def known_runs(past: Past, where: str) -> str:
    """The same of what expired with or before a batch."""
    return (
        "SELECT source AS of_source, id AS of_run, instance AS told_owner,"
        " (version, os, os_version) AS told_system, started AS told_start,"
        " (ended, told, place) AS told_end, (asked, request) AS told_request,"
        " environment AS told_environment"
        f" FROM {latest('past_runs', past, where)}"
    )


def merged_runs(parts: str) -> str:
    """Each run once, from several parts."""
    return (
        "SELECT of_source, of_run AS run, max(told_owner) AS owner, max(told_system) AS system,"
        " minIf(told_start, told_start > 0) AS started_at, max(told_end) AS ending,"
        " max(told_request) AS request, max(told_environment) AS environment"
        f" FROM ({parts}) GROUP BY of_source, run"
    )


def all_runs(past: Past, source: int, ids: str = "1 = 1") -> str:
    """All runs of a source, or those whose id meets a condition."""
    events = told_of_runs(f"source = {source} AND {past.there} AND {ids.format('run')}")
    if not past.batch:
        return f"({merged_runs(events)})"
    known = known_runs(past, f"source = {source} AND {ids.format('id')}")
    return f"({merged_runs(f'{events} UNION ALL {known}')})"


def run_in(source: int, row: Row) -> Run:
    """The run in a row of WHOLE."""
    *known, started, ended, told, _, asked, request, environment = row
    times = (started or None, ended or None)
    return Run(*(source, *known, *times, *read_end(told), asked or None, *read_request(request), environment))


class InstallQuestions(ClickHousePart):
    """What is asked of runs of install scripts."""

    @cached_if_large
    def run_counts_by_day(self, source: int, first: int, last: int, now: int) -> dict[int, RunCounts]:
        past = self._past()
        sql = (
            f"SELECT {DAY} AS day, {_COUNTS.format(now - GIVE_UP_MS)} FROM {all_runs(past, source)}"
            f" WHERE {self._here} AND {BEGAN} > 0 AND {DAY} >= ? AND {DAY} <= ? GROUP BY day"
        )
        days = {day: RunCounts(*counts) for day, *counts in self._client.rows(sql, first, last)}
        for day, counts in self._expired_runs(past, source, first, last).items():
            days.setdefault(day, RunCounts()).merge(counts)
        return days

    @cached_if_large
    def run_counts_by_word(
        self, source: int, kind: str, first: int, last: int, now: int
    ) -> list[tuple[str, RunCounts]]:
        past = self._past()
        by = "word" if kind == "version" else "word, more"
        sql = (
            f"SELECT {_WORDS[kind]}, {_COUNTS.format(now - GIVE_UP_MS)}, count() AS n"
            f" FROM {all_runs(past, source)} WHERE {self._here} AND {BEGAN} > 0 AND {DAY} >= ? AND {DAY} <= ?"
            f" GROUP BY {by} ORDER BY n DESC, {by} LIMIT ?"
        )
        found: dict[str, RunCounts] = {}
        for *words, ok, bad, given_up, running, _ in self._client.rows(sql, first, last, MOST_WORDS_READ):
            word = words[0] if kind == "version" else system_name(*words)
            found.setdefault(word, RunCounts()).merge(RunCounts(ok, bad, given_up, running))
        ranked = sorted(found.items(), key=lambda item: (-item[1].started, item[0]))
        rest = RunCounts()
        for counts in [counts for _, counts in ranked[MOST_ROWS:]]:
            rest.merge(counts)
        for counts in self._expired_runs(past, source, first, last).values():
            rest.merge(counts)
        return [*ranked[:MOST_ROWS], (OTHER, rest)] if rest.started else ranked[:MOST_ROWS]

    @cached_if_large
    def instances_with_installs(self, source: int, first: int, last: int) -> tuple[int, int]:
        sql = (
            "SELECT uniqExact(owner) AS ended, uniqExactIf(owner, ending.3 = '') AS succeeded"
            f" FROM {all_runs(self._past(), source)}"
            f" WHERE {self._here} AND ending.1 > 0 AND {BEGAN} >= ? AND {BEGAN} < ?"
        )
        ((ended, succeeded),) = self._client.rows(sql, first * DAY_MS, (last + 1) * DAY_MS)
        return ended, succeeded

    @cached_if_large
    def worst_failures(self, source: int, first: int, last: int, most: int) -> list[Failure]:
        sql = (
            f"{_failures(self._past(), source, first, last)} AND {self._here} AND {FAILED}"
            " GROUP BY place HAVING n > 0 ORDER BY n DESC, place LIMIT ?"
        )
        failures = [_failure(row) for row in self._client.rows(sql, most)]
        return sorted(failures, key=lambda one: (one.instances, one.runs, one.last_seen), reverse=True)

    def find_failure(self, source: int, first: int, last: int, place: Place) -> Failure | None:
        sql = (
            f"{_failures(self._past(), source, first, last)} AND {self._here} AND ending.3 = ? GROUP BY place"
        )
        return next((_failure(row) for row in self._client.rows(sql, place.key)), None)

    @cached_if_large
    def failure_trends(
        self, source: int, first: int, last: int, places: Sequence[Place]
    ) -> dict[str, dict[int, int]]:
        found: dict[str, dict[int, int]] = {place.key: {} for place in places}
        if not found:
            return found
        sql = (
            f"SELECT ending.3 AS place, {DAY} AS day, count() AS n FROM {all_runs(self._past(), source)}"
            f" WHERE {self._here} AND {DAY} >= ? AND {DAY} <= ? AND ending.3 IN ? GROUP BY place, day"
        )
        for key, day, n in self._client.rows(sql, first, last, [*found]):
            found[key][day] = n
        return found

    def asked_runs(
        self, source: int, after: RunsEnd, most: int, before: RunsEnd | None = None
    ) -> list[RunsEnd]:
        part = Stretch(after, before or LATEST, oldest_first=before is None)
        sql = (
            f"SELECT request.1 AS at, run FROM {all_runs(self._past(), source)} WHERE at > 0"
            f" AND {part.where('at', 'run')} {part.order('at', 'run')} LIMIT ?"
        )
        return [(at, key) for at, key in self._client.rows(sql, *part.values, most)]

    def runs_between(self, source: int, low: bytes, high: bytes, most: int) -> list[bytes]:
        between = filled("{0} >= ? AND {0} <= ?", [low, high])
        sql = f"SELECT run FROM {all_runs(self._past(), source, between)} ORDER BY run LIMIT ?"
        return [key for (key,) in self._client.rows(sql, most)]

    def find_runs(self, source: int, keys: Sequence[bytes]) -> list[Run]:
        if not keys:
            return []
        sql = f"SELECT {WHOLE} FROM {all_runs(self._past(), source, filled('{0} IN ?', [[*keys]]))}"
        return [run_in(source, row) for row in self._client.rows(sql)]

    def runs_of_instance(self, source: int, instance: bytes, most: int) -> list[Run]:
        told_at = f"if({BEGAN} > 0, {BEGAN}, request.1)"
        sql = (
            f"SELECT {WHOLE}, {told_at} AS told_at FROM {all_runs(self._past(), source)}"
            " WHERE owner = ? ORDER BY told_at DESC, run LIMIT ?"
        )
        return [run_in(source, row[:-1]) for row in self._client.rows(sql, instance, most)]

    def _expired_runs(self, past: Past, source: int, first: int, last: int) -> dict[int, RunCounts]:
        """Runs that have expired whole, by the day on which they began."""
        days: dict[int, RunCounts] = {}
        outcomes: Counter[tuple[int, str]] = Counter()
        for day, environment, outcome, n in self._counters(past, source, "outcome"):
            if environment in self._environments:
                outcomes[day, outcome] += n
        for (day, outcome), n in outcomes.items():
            if first <= day <= last:
                days.setdefault(day, RunCounts()).add(outcome, n)
        return days


def _failures(past: Past, source: int, first: int, last: int) -> str:
    within = f"{DAY} >= {first} AND {DAY} <= {last}"
    return (
        f"SELECT ending.3 AS place, countIf({within}) AS n, uniqExactIf(owner, {within}) AS owners,"
        f" maxIf(ending.1, {within}) AS last_at, argMin(ending.1, {BEGAN}) AS first_at"
        f" FROM {all_runs(past, source)} WHERE {BEGAN} > 0"
    )


def _failure(row: Row) -> Failure:
    key, runs, owners, last_at, first_at = row
    return Failure(place_of(key), runs, owners, last_at, first_at)

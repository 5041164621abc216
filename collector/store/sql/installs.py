"""Runs of install scripts: counted, listed, and grouped by where they failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from collector.base.times import DAY_MS
from collector.store.database import Database
from collector.store.runs import (
    GIVE_UP_MS,
    LATEST,
    RUNNING,
    Failure,
    Place,
    Run,
    RunCounts,
    RunsEnd,
    place_of,
)
from collector.store.scope import TOTAL
from collector.store.sql.folding import fold_little
from collector.store.sql.part import SqlPart
from collector.store.sql.run_lists import RUN, run_of
from collector.store.stretch import Stretch, stretch_of
from collector.store.words import OTHER

# Open runs that began less than a day ago are counted in the same statement as the others, because an
# install may start or end between two statements. So many are read; of more, the earliest are given up.
MOST_RUNNING = 5_000

# Versions or systems of a table; the rest is one row.
MOST_ROWS = 200
# Instances that failed at a place are counted among so many of its latest runs; on its own page among more.
COUNTED, COUNTED_ALONE = 1_000, 10_000


class InstallQuestions(SqlPart):
    """What is asked of runs of install scripts."""

    def run_counts_by_day(self, source: int, first: int, last: int, now: int) -> dict[int, RunCounts]:
        sql = (
            f"SELECT day, outcome, SUM(n) FROM outcomes WHERE source = ? AND kind IN {self._kinds(TOTAL)}"
            " AND day BETWEEN ? AND ? GROUP BY day, outcome"
            f" UNION ALL SELECT began / {DAY_MS} AS day, '{RUNNING}', COUNT(*)"
            f" FROM {_running(self._database, self._here)} GROUP BY 1"
        )
        days: dict[int, RunCounts] = {}
        values = (source, first, last, source, *_running_times(first, last, now), MOST_RUNNING)
        for day, outcome, n in self._counted(sql, *values):
            days.setdefault(day, RunCounts()).add(outcome, int(n))
        return days

    def run_counts_by_word(
        self, source: int, kind: str, first: int, last: int, now: int
    ) -> list[tuple[str, RunCounts]]:
        word = {"version": "version", "system": "trim(os || ' ' || os_version)"}[kind]
        counted = "SUM(CASE outcome WHEN '{0}' THEN n ELSE 0 END)".format
        sums = f"{counted('success')}, {counted('errors')}, {counted('open')}"
        where = "WHERE source = ? AND kind IN {} AND day BETWEEN ? AND ?".format
        sql = (
            f"SELECT * FROM (SELECT word, {sums}, 0 AS running FROM outcomes {where(self._kinds(kind))}"
            " AND word <> ? GROUP BY word HAVING SUM(n) > 0 ORDER BY SUM(n) DESC, word LIMIT ?) AS words"
            f" UNION ALL SELECT NULL, {sums}, 0 FROM outcomes {where(self._kinds(TOTAL))} GROUP BY kind"
            f" UNION ALL SELECT {word}, 0, 0, 0, COUNT(*)"
            f" FROM {_running(self._database, self._here)} GROUP BY 1"
        )
        values = (source, first, last, OTHER, MOST_ROWS, source, first, last)
        running = (source, *_running_times(first, last, now), MOST_RUNNING)
        return _listed(self._counted(sql, *values, *running))

    def instances_with_installs(self, source: int, first: int, last: int) -> tuple[int, int]:
        sql = (
            "SELECT COUNT(DISTINCT instance), COUNT(DISTINCT CASE WHEN outcome = 'success' THEN instance END)"
            " FROM runs WHERE source = ? AND began >= ? AND began < ? AND outcome IS NOT NULL"
            f" AND {self._here}"
        )
        ended, succeeded = self._counted(sql, source, first * DAY_MS, (last + 1) * DAY_MS)[0]
        return ended, succeeded

    def worst_failures(self, source: int, first: int, last: int, most: int) -> list[Failure]:
        sql = (
            f"SELECT word, SUM(n) FROM outcomes WHERE source = ? AND kind IN {self._kinds('place')}"
            " AND day BETWEEN ? AND ?"
            " AND word <> ? GROUP BY word HAVING SUM(n) > 0 ORDER BY 2 DESC, 1 LIMIT ?"
        )
        runs: dict[str, int] = dict(self._counted(sql, source, first, last, OTHER, most))
        failures = _failures(self._database, self._here, source, first, last, list(runs), COUNTED)
        for failure in failures:
            failure.runs = max(failure.runs, int(runs[failure.place.key]))
        return sorted(failures, key=lambda one: (one.instances, one.runs, one.last_seen), reverse=True)

    def find_failure(self, source: int, first: int, last: int, place: Place) -> Failure | None:
        fold_little(self._database)
        found = _failures(self._database, self._here, source, first, last, [place.key], COUNTED_ALONE)
        if found:
            by_day = self.failure_trends(source, first, last, [place])[place.key]
            found[0].runs = max(found[0].runs, sum(by_day.values()))
        return found[0] if found else None

    def failure_trends(
        self, source: int, first: int, last: int, places: Sequence[Place]
    ) -> dict[str, dict[int, int]]:
        keys = [place.key for place in places]
        found: dict[str, dict[int, int]] = {key: {} for key in keys}
        if not found:
            return found
        sql = (
            f"SELECT word, day, SUM(n) FROM outcomes WHERE source = ? AND kind IN {self._kinds('place')}"
            f" AND day BETWEEN ? AND ? AND word IN ({_marks(keys)}) GROUP BY word, day"
        )
        for key, day, n in self._counted(sql, source, first, last, *keys):
            found[key][day] = int(n)
        return found

    def runs_failed_at(
        self,
        source: int,
        place: Place,
        since: int,
        before: RunsEnd,
        most: int,
        after: RunsEnd | None = None,
    ) -> list[Run]:
        part = stretch_of(since, before, after)
        sql = (
            f"SELECT {RUN} FROM runs WHERE source = ? AND outcome = 'errors' AND place = ?"
            f" AND {self._here} AND {part.where('began')} {part.order('began')} LIMIT ?"
        )
        return [run_of(row) for row in self._counted(sql, source, place.key, *part.values, most)]

    def asked_runs(
        self, source: int, after: RunsEnd, most: int, before: RunsEnd | None = None
    ) -> list[RunsEnd]:
        part = Stretch(after, before or LATEST, oldest_first=before is None)
        sql = (
            "SELECT asked, id FROM runs WHERE source = ? AND asked IS NOT NULL"
            f" AND {part.where('asked')} {part.order('asked')} LIMIT ?"
        )
        return [(asked, bytes(key)) for asked, key in self._counted(sql, source, *part.values, most)]

    def runs_between(self, source: int, low: bytes, high: bytes, most: int) -> list[bytes]:
        sql = "SELECT id FROM runs WHERE source = ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?"
        return [bytes(key) for (key,) in self._counted(sql, source, low, high, most)]

    def find_runs(self, source: int, keys: Sequence[bytes]) -> list[Run]:
        if not keys:
            return []
        sql = f"SELECT {RUN} FROM runs WHERE source = ? AND id IN ({_marks(keys)})"
        return [run_of(row) for row in self._counted(sql, source, *keys)]

    def runs_of_instance(self, source: int, instance: bytes, most: int) -> list[Run]:
        sql = (
            f"SELECT {RUN} FROM runs WHERE source = ? AND instance = ?"
            " ORDER BY coalesce(started, ended, asked) DESC LIMIT ?"
        )
        return [run_of(row) for row in self._counted(sql, source, instance, most)]


def _running(database: Database, here: str) -> str:
    """The open runs of a source that meet a condition and began within two times, at most so many."""
    index = " INDEXED BY runs_open" if database.dialect == "sqlite" else ""
    return (
        f"(SELECT began, version, os, os_version FROM runs{index} WHERE source = ? AND outcome IS NULL"
        f" AND {here}"
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


def _failures(
    database: Database, here: str, source: int, first: int, last: int, keys: Sequence[str], most: int
) -> list[Failure]:
    """The failures at each place within a period, among the latest so many; none where no run ever failed."""
    if not keys:
        return []
    index = " INDEXED BY runs_by_place" if database.dialect == "sqlite" else ""
    at = f"FROM runs{index} WHERE source = ? AND outcome = 'errors' AND place = ? AND {here}"
    latest = (
        f"SELECT COUNT(*), COUNT(DISTINCT instance), MAX(ended),"
        f" (SELECT ended {at} ORDER BY began LIMIT 1), CAST(? AS INTEGER)"
        f" FROM (SELECT instance, ended {at} AND began >= ? AND began < ?"
        " ORDER BY began DESC LIMIT ?) AS latest"
    )
    values: list[Any] = []
    for number, key in enumerate(keys):
        values += [source, key, number, source, key, first * DAY_MS, (last + 1) * DAY_MS, most]
    return [
        Failure(place_of(keys[number]), n, who, ended or 0, first_ended)
        for n, who, ended, first_ended, number in database.all(
            " UNION ALL ".join([latest] * len(keys)), *values
        )
        if first_ended
    ]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))

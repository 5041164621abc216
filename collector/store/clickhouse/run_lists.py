"""Lists of runs by state, version and system; and the failed runs, to be grouped."""

from __future__ import annotations

from collector.base.times import DAY_MS
from collector.store.clickhouse.instances import SYSTEM
from collector.store.clickhouse.number_cache import cached_if_large
from collector.store.clickhouse.part import ClickHousePart
from collector.store.clickhouse.runs import BEGAN, DAY, FAILED, WHOLE, all_runs, run_in
from collector.store.clickhouse.text import filled
from collector.store.runs import (
    GIVE_UP_MS,
    MOST_FIRST_DAYS,
    FailedRuns,
    Place,
    Run,
    RunFilter,
    RunsEnd,
    group_failed,
)
from collector.store.stretch import Stretch, stretch_of
from collector.store.words import told_alike

_SYSTEM = SYSTEM.format("system.2", "system.3")


class RunListQuestions(ClickHousePart):
    """What is asked of many runs."""

    def list_runs(
        self,
        source: int,
        wanted: RunFilter,
        since: int,
        before: RunsEnd,
        now: int,
        most: int,
        after: RunsEnd | None = None,
    ) -> tuple[list[Run], RunsEnd | None]:
        runs = all_runs(self._past(), source)
        condition = f"{self._here} AND {_condition(runs, wanted, now)}"
        found = self._list(runs, source, condition, stretch_of(since, before, after), most + 1)
        last = found[most - 1 : most] if len(found) > most else []
        return found[:most], next(((run.began or 0, run.id) for run in last), None)

    def runs_failed_at(
        self,
        source: int,
        place: Place,
        since: int,
        before: RunsEnd,
        most: int,
        after: RunsEnd | None = None,
    ) -> list[Run]:
        runs = all_runs(self._past(), source)
        condition = filled(f"{self._here} AND ending.3 = ?", [place.key])
        return self._list(runs, source, condition, stretch_of(since, before, after), most)

    def failed_runs(self, source: int, first: int, last: int, most: int) -> list[FailedRuns]:
        sql = (
            "SELECT ending.3 AS place, system.1 AS version, system.2 AS os, system.3 AS os_version, owner,"
            f" {BEGAN} AS began FROM {all_runs(self._past(), source)}"
            f" WHERE {self._here} AND {FAILED} AND {BEGAN} >= ? AND {BEGAN} < ?"
            " ORDER BY began DESC, run LIMIT ?"
        )
        return group_failed(self._client.rows(sql, first * DAY_MS, (last + 1) * DAY_MS, most))

    @cached_if_large
    def first_days(self, source: int, kind: str, word: str = "") -> dict[str, int]:
        column = "system.1" if kind == "version" else _SYSTEM
        wanted = filled(f" AND {column} = ?", [word]) if word else ""
        sql = (
            f"SELECT {column} AS word, min({DAY}) AS day, count() AS n FROM {all_runs(self._past(), source)}"
            f" WHERE {self._here} AND {BEGAN} > 0{wanted} GROUP BY word ORDER BY n DESC, word LIMIT ?"
        )
        return {found: day for found, day, _ in self._client.rows(sql, MOST_FIRST_DAYS)}

    def _list(self, runs: str, source: int, wanted: str, part: Stretch, most: int) -> list[Run]:
        sql = (
            f"SELECT {WHOLE}, {BEGAN} AS began FROM {runs} WHERE {BEGAN} > 0 AND {wanted}"
            f" AND {part.where(BEGAN, 'run')} {part.order('began', 'run')} LIMIT ?"
        )
        rows = self._client.rows(sql, *part.values, most)
        return [run_in(source, row[:-1]) for row in rows]


def _condition(runs: str, wanted: RunFilter, now: int) -> str:
    """The condition of a filter."""
    given_up = f"ending.1 = 0 AND {BEGAN} <= {now - GIVE_UP_MS}"
    last = f"(owner, {BEGAN}) IN (SELECT owner, max({BEGAN}) FROM {runs} WHERE {BEGAN} > 0 GROUP BY owner)"
    states = {
        "": "1 = 1",
        "succeeded": "ending.1 > 0 AND ending.3 = ''",
        "failed": FAILED,
        "running": f"ending.1 = 0 AND {BEGAN} > {now - GIVE_UP_MS}",
        "given up": given_up,
        "stuck": f"({FAILED} OR ({given_up})) AND {last}",
    }
    conditions = [states[wanted.state]]
    for column, value in (("system.1", wanted.version), (_SYSTEM, wanted.system)):
        if value is not None:
            conditions.append(filled(f"{column} IN ?", [told_alike(value)]))
    return " AND ".join(conditions)

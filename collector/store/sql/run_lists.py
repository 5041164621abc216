"""Lists of runs by state, version and system; and the failed runs, to be grouped."""

from __future__ import annotations

from typing import Any

from collector.base.environments import ALL
from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.runs import (
    GIVE_UP_MS,
    MOST_FIRST_DAYS,
    FailedRuns,
    Run,
    RunFilter,
    RunsEnd,
    group_failed,
)
from collector.store.sql.part import SqlPart
from collector.store.stretch import stretch_of
from collector.store.words import OTHER, told_alike

# A page of a list is searched among so many runs; a link leads to the next ones.
RUNS_SEARCHED = 5_000

RUN = ", ".join(schema.RUNS.names)
_OPEN = "outcome IS NULL AND began {} ?"
_LATER = (
    "EXISTS (SELECT 1 FROM runs later{index} WHERE later.source = searched.source"
    " AND later.instance = searched.instance AND later.began IS NOT NULL"
    " AND coalesce(later.started, later.ended, later.asked) > searched.began)"
)
_STATES = {
    "succeeded": "outcome = 'success'",
    "failed": "outcome = 'errors'",
    "running": _OPEN.format(">"),
    "given up": _OPEN.format("<="),
    "stuck": f"(outcome = 'errors' OR {_OPEN.format('<=')}) AND NOT {_LATER}",
}


class RunListQuestions(SqlPart):
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
        part = stretch_of(since, before, after)
        order = part.order("began")
        index = " INDEXED BY runs_by_instance" if self._database.dialect == "sqlite" else ""
        where, values = _conditions(wanted, now, index)
        if self.environment != ALL:
            where.append(self._here)
        limit = RUNS_SEARCHED if where else most + 1
        there = f"FROM runs WHERE source = ? AND {part.where('began')} {order}"
        sql = (
            f"SELECT {RUN} FROM (SELECT {RUN}, began {there} LIMIT ?) AS searched"
            f" WHERE {' AND '.join(where) or '1 = 1'} {order} LIMIT ?"
        )
        rows = self._counted(sql, source, *part.values, limit, *values, most + 1)
        runs = [run_of(row) for row in rows]
        if len(runs) > most:
            return runs[:most], (runs[most - 1].began or 0, runs[most - 1].id)
        end = self._all(f"SELECT began, id {there} LIMIT 1 OFFSET ?", source, *part.values, limit - 1)
        return runs, (end[0][0], bytes(end[0][1])) if end else None

    def failed_runs(self, source: int, first: int, last: int, most: int) -> list[FailedRuns]:
        sql = (
            "SELECT place, version, os, os_version, instance, began FROM runs WHERE source = ?"
            f" AND outcome = 'errors' AND {self._here} AND began >= ? AND began < ?"
            " ORDER BY began DESC LIMIT ?"
        )
        return group_failed(self._counted(sql, source, first * DAY_MS, (last + 1) * DAY_MS, most))

    def first_days(self, source: int, kind: str, word: str = "") -> dict[str, int]:
        sql = (
            f"SELECT word, MIN(day) FROM outcomes WHERE source = ? AND kind IN {self._kinds(kind)}"
            f" AND word <> ? AND n > 0{' AND word = ?' if word else ''}"
            " GROUP BY word ORDER BY SUM(n) DESC, word LIMIT ?"
        )
        return dict(self._counted(sql, source, OTHER, *([word] if word else []), MOST_FIRST_DAYS))


def _conditions(wanted: RunFilter, now: int, index: str) -> tuple[list[str], list[Any]]:
    """The conditions of a filter, and their values."""
    where, values = list[str](), list[Any]()
    if wanted.state:
        where.append(_STATES[wanted.state].replace("{index}", index))
        values += [now - GIVE_UP_MS] * where[-1].count("?")
    for column, value in (("version", wanted.version), ("trim(os || ' ' || os_version)", wanted.system)):
        if value is not None:
            where.append(f"{column} IN (?, ?)")
            values += told_alike(value)
    return where, values


def run_of(row: tuple[Any, ...]) -> Run:
    """A run from its row of RUN."""
    return Run(row[0], bytes(row[1]), bytes(row[2]), *row[3:])

"""Instances: active ones by day, lists by state, and one of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.fleet import Census, Instance, InstanceFilter, InstancesEnd
from collector.store.packed_slots import unpack_slots
from collector.store.sql.agents import agents_on
from collector.store.sql.census import take_census
from collector.store.sql.folding import fold_little
from collector.store.sql.kept_census import keep_census, kept_censuses
from collector.store.sql.part import SqlPart
from collector.store.sql.walks import Walk, walks_of
from collector.store.stretch import Stretch, stretch_of
from collector.store.words import told_alike

# A page of the list is searched among so many instances; a link leads to the next ones.
SEARCHED = 50_000
# And among so many by version or system: these are in no index.
SEARCHED_ROWS = 5_000

_COLUMNS = ", ".join(schema.INSTANCES.names)
# The counters' column that has a standing (see schema.py), and whether that is of established instances.
_STANDING = "established"
_ESTABLISHED = f"{_STANDING} % 2"


class InstanceQuestions(SqlPart):
    """What is asked of instances."""

    def census(self, source: int, now: int) -> Census:
        fold_little(self._database)
        return take_census(self._database, self._here, source, now)

    def keep_census(self, source: int, census: Census | None) -> None:
        keep_census(self._database, source, census)

    def kept_censuses(self) -> dict[int, Census]:
        return kept_censuses(self._database)

    def active_by_day(self, source: int, span: int, first: int, last: int) -> dict[int, tuple[int, int]]:
        sql = (
            f"SELECT CASE WHEN day < ? THEN ? ELSE day END AS on_day, {_ESTABLISHED}, SUM(n) FROM active"
            f" WHERE source = ? AND span = ? AND day <= ? AND {_STANDING} IN {self._standings} GROUP BY 1, 2"
        )
        changes: Counter[tuple[int, int]] = Counter()
        for day, established, n in self._counted(sql, first, first, source, span, last):
            changes[day, established] += int(n)
        found: dict[int, tuple[int, int]] = {}
        short = lasting = 0
        for day in range(first, last + 1):
            short, lasting = short + changes[day, 0], lasting + changes[day, 1]
            found[day] = (short, lasting)
        return found

    def agents_on(self, source: int, day: int) -> Counter[str]:
        return agents_on(self._database, self._shapes, source, day)

    def new_instances_by_week(self, source: int, first_week: int) -> dict[int, int]:
        sql = (
            f"SELECT cohort, SUM(n) FROM cohorts WHERE source = ? AND cohort >= ? AND {_ESTABLISHED} = 1"
            f" AND {_STANDING} IN {self._standings} GROUP BY cohort HAVING SUM(n) > 0"
        )
        return {cohort: int(n) for cohort, n in self._counted(sql, source, first_week)}

    def retention_by_week(self, source: int, first_week: int) -> dict[tuple[int, int], int]:
        sql = (
            "SELECT cohort, week, SUM(n) FROM retention"
            f" WHERE source = ? AND cohort >= ? AND {_ESTABLISHED} = 1"
            f" AND {_STANDING} IN {self._standings} GROUP BY cohort, week HAVING SUM(n) > 0"
        )
        return {(cohort, week): int(n) for cohort, week, n in self._counted(sql, source, first_week)}

    def list_instances(
        self,
        source: int,
        wanted: InstanceFilter,
        first: int,
        last: int,
        now: int,
        before: InstancesEnd,
        most: int,
        after: InstancesEnd | None = None,
    ) -> tuple[list[Instance], InstancesEnd | None]:
        fold_little(self._database)
        found: list[Instance] = []
        conditions, values = _conditions(wanted)
        where = " AND ".join([self._here, *conditions])
        walks = walks_of(wanted.state, first * DAY_MS, (last + 1) * DAY_MS, now)
        for walk in walks if after is None else reversed(walks):
            part = stretch_of(walk.after + 1, min(before, (walk.until + 1, b"")), after)
            narrowed = walk.narrowed(where, values)
            more, end = self._follow(narrowed, source, part, most + 1 - len(found), rows=bool(conditions))
            found += more
            if len(found) > most:
                return found[:most], (found[most - 1].last_seen, found[most - 1].id)
            if end:
                return found, end
        return found, None

    def _follow(
        self, walk: Walk, source: int, part: Stretch, most: int, *, rows: bool
    ) -> tuple[list[Instance], InstancesEnd | None]:
        """Instances of a walk, and where its search ended if it was cut short. `rows`: it reads rows, too.

        If it has found as many as were wanted, where it would have ended is not looked for.
        """
        index = f" INDEXED BY {walk.index}" if self._database.dialect == "sqlite" else ""
        columns = ", version, os, os_version" if rows else ""
        order = part.order("last_seen")
        there = (
            f"SELECT id, last_seen, first_seen, last_beat, environment{columns} FROM instances{index}"
            f" WHERE source = ?{walk.part} AND {part.where('last_seen')} {order} LIMIT"
        )
        limit = SEARCHED_ROWS if rows else SEARCHED
        ids = f"SELECT id FROM ({there} ?) AS searched WHERE {walk.wanted or '1 = 1'} {order} LIMIT ?"
        sql = f"SELECT {_COLUMNS} FROM instances WHERE source = ? AND id IN ({ids})"
        values = (source, *part.values)
        # Sorted here: a database that sorts these few rows may read all others first.
        found = [_instance(row) for row in self._all(sql, source, *values, limit, *walk.values, most)]
        found.sort(key=lambda one: (one.last_seen, one.id), reverse=not part.oldest_first)
        if len(found) == most:
            return found, None
        end = self._all(f"SELECT last_seen, id FROM ({there} 1 OFFSET ?) AS searched", *values, limit - 1)
        return found, (end[0][0], bytes(end[0][1])) if end else None

    def find_instance(self, source: int, key: bytes) -> Instance | None:
        rows = self._counted(f"SELECT {_COLUMNS} FROM instances WHERE source = ? AND id = ?", source, key)
        return _instance(rows[0]) if rows else None

    def instances_between(self, source: int, low: bytes, high: bytes, most: int) -> list[bytes]:
        sql = "SELECT id FROM instances WHERE source = ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?"
        return [bytes(key) for (key,) in self._counted(sql, source, low, high, most)]


def _conditions(wanted: InstanceFilter) -> tuple[list[str], tuple[Any, ...]]:
    """The conditions of a version and a system, and their values."""
    columns = (("version", wanted.version), ("trim(os || ' ' || os_version)", wanted.system))
    given = [(f"{column} IN (?, ?)", told_alike(value)) for column, value in columns if value is not None]
    return [condition for condition, _ in given], tuple(word for _, words in given for word in words)


def _instance(row: tuple[Any, ...]) -> Instance:
    return Instance(*(row[0], bytes(row[1]), *row[2:7], unpack_slots(row[7]), *row[8:]))

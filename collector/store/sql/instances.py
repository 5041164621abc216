"""Instances: active ones by day, lists by state, and one of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.fleet import GONE_MS, SILENT_MS, Census, Instance, InstancesEnd
from collector.store.rows import ESTABLISHED_MS
from collector.store.sql.census import take_census
from collector.store.sql.folding import fold_little
from collector.store.sql.part import SqlPart

# A page of the list is searched among so many instances; a link leads to the next ones.
SEARCHED = 50_000

_COLUMNS = ", ".join(schema.INSTANCES.names)


class InstanceQuestions(SqlPart):
    """What is asked of instances."""

    def census(self, source: int, now: int) -> Census:
        fold_little(self._database)
        return take_census(self._database, source, now)

    def active_by_day(self, source: int, span: int, first: int, last: int) -> dict[int, tuple[int, int]]:
        sql = (
            "SELECT CASE WHEN day < ? THEN ? ELSE day END AS on_day, established, SUM(n) FROM active"
            " WHERE source = ? AND span = ? AND day <= ? GROUP BY on_day, established"
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

    def new_instances_by_week(self, source: int, first_week: int) -> dict[int, int]:
        sql = "SELECT cohort, n FROM cohorts WHERE source = ? AND established = 1 AND cohort >= ? AND n > 0"
        return {cohort: int(n) for cohort, n in self._counted(sql, source, first_week)}

    def retention_by_week(self, source: int, first_week: int) -> dict[tuple[int, int], int]:
        sql = (
            "SELECT cohort, week, n FROM retention"
            " WHERE source = ? AND established = 1 AND cohort >= ? AND n > 0"
        )
        return {(cohort, week): int(n) for cohort, week, n in self._counted(sql, source, first_week)}

    def list_instances(
        self, source: int, state: str, first: int, last: int, now: int, before: InstancesEnd, most: int
    ) -> tuple[list[Instance], InstancesEnd | None]:
        where, values = _filter(state, first * DAY_MS, (last + 1) * DAY_MS, now)
        searched = (
            "(SELECT id, last_seen, first_seen, last_beat FROM instances"
            " WHERE source = ? AND (last_seen, id) < (?, ?)"
            " ORDER BY last_seen DESC, id DESC LIMIT ?) AS searched"
        )
        limit = SEARCHED if where else most + 1
        sql = (
            f"SELECT {_COLUMNS} FROM instances WHERE source = ? AND id IN (SELECT id FROM {searched}"
            f" WHERE {where or '1 = 1'} ORDER BY last_seen DESC, id DESC LIMIT ?)"
        )
        # Sorted here: a database that sorts these few rows may read all others first.
        found = self._counted(sql, source, source, *before, limit, *values, most + 1)
        rows = [_instance(row) for row in found]
        rows.sort(key=lambda one: (one.last_seen, one.id), reverse=True)
        if len(rows) > most:
            return rows[:most], (rows[most - 1].last_seen, rows[most - 1].id)
        sql = (
            "SELECT last_seen, id FROM instances WHERE source = ? AND (last_seen, id) < (?, ?)"
            " ORDER BY last_seen DESC, id DESC LIMIT 1 OFFSET ?"
        )
        end = self._all(sql, source, *before, limit - 1)
        return rows, (end[0][0], bytes(end[0][1])) if end else None

    def find_instance(self, source: int, key: bytes) -> Instance | None:
        rows = self._counted(f"SELECT {_COLUMNS} FROM instances WHERE source = ? AND id = ?", source, key)
        return _instance(rows[0]) if rows else None

    def instances_between(self, source: int, low: bytes, high: bytes, most: int) -> list[bytes]:
        sql = "SELECT id FROM instances WHERE source = ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?"
        return [bytes(key) for (key,) in self._counted(sql, source, low, high, most)]


def _filter(state: str, since: int, until: int, now: int) -> tuple[str, tuple[int, ...]]:
    lasting = f"last_seen - first_seen > {ESTABLISHED_MS}"
    filters: dict[str, tuple[str, tuple[int, ...]]] = {
        "beating": (lasting + " AND last_beat > ?", (now - SILENT_MS,)),
        "silent": (lasting + " AND last_beat <= ? AND last_beat > ?", (now - SILENT_MS, now - GONE_MS)),
        "gone": (lasting + " AND last_beat <= ?", (now - GONE_MS,)),
        "never": (lasting + " AND last_beat IS NULL", ()),
        "new": (lasting + " AND first_seen >= ? AND first_seen < ?", (since, until)),
        "returning": (lasting + " AND first_seen < ? AND last_seen >= ?", (since, since)),
        "short-lived": (f"last_seen - first_seen <= {ESTABLISHED_MS}", ()),
    }
    return filters.get(state, ("", ()))


def _instance(row: tuple[Any, ...]) -> Instance:
    return Instance(*(row[0], bytes(row[1]), *row[2:7], int.from_bytes(row[7], "little"), *row[8:]))

"""The instances of a source, counted at one moment: active, silent, new and returning ones, their versions.

Each number comes from passes over the instances, never over their events.
"""

from __future__ import annotations

from collector.base.times import DAY_MS
from collector.store.database import Database
from collector.store.fleet import GONE_MS, SILENT_MS, Census
from collector.store.rows import ESTABLISHED_MS, system_name
from collector.store.spans import SPANS
from collector.store.words import OTHER

# Combinations of version and system that are read; the rest counts as OTHER.
MOST_SYSTEMS = 1000

_ESTABLISHED = f"last_seen - first_seen > {ESTABLISHED_MS}"


def take_census(database: Database, here: str, source: int, now: int) -> Census:
    """Count the instances of a source that meet a condition."""
    census = Census(now)
    _count_states(database, here, source, census)
    _count_systems(database, here, source, census)
    for column, counter in (("first_seen", census.first_days), ("last_seen", census.last_days)):
        days = f"SELECT {column} / {DAY_MS}, COUNT(*) FROM instances WHERE source = ? AND {here}"
        counter.update(dict(database.all(f"{days} AND {_ESTABLISHED} GROUP BY 1", source)))
    return census


def _count_states(database: Database, here: str, source: int, census: Census) -> None:
    spans = ", ".join(f"SUM(CASE WHEN last_beat > ? - {span * DAY_MS} THEN 1 ELSE 0 END)" for span in SPANS)
    sql = (
        f"SELECT CASE WHEN {_ESTABLISHED} THEN 1 ELSE 0 END AS established,"
        " CASE WHEN last_beat IS NULL THEN 'never' WHEN last_beat <= ? THEN 'gone'"
        f" WHEN last_beat <= ? THEN 'silent' ELSE 'beating' END AS state, COUNT(*), {spans}"
        f" FROM instances WHERE source = ? AND {here} GROUP BY established, state"
    )
    now = census.at
    for lasting, state, n, *active in database.all(
        sql, now - GONE_MS, now - SILENT_MS, now, now, now, source
    ):
        established = bool(lasting)
        census.states[state, established] += int(n)
        for span, alive in zip(SPANS, active, strict=True):
            census.active[span, established] += int(alive)


def _count_systems(database: Database, here: str, source: int, census: Census) -> None:
    """Versions and systems, as many as are read; the rest of those that count is OTHER."""
    span = SPANS[-1]
    sql = (
        "SELECT version, os, os_version, COUNT(*) FROM instances"
        f" WHERE source = ? AND {here} AND {_ESTABLISHED}"
        " AND last_beat > ? GROUP BY version, os, os_version ORDER BY 4 DESC, 1, 2, 3 LIMIT ?"
    )
    rest = census.active[span, True]
    for version, os, os_version, n in database.all(sql, source, census.at - span * DAY_MS, MOST_SYSTEMS):
        census.versions[version] += int(n)
        census.systems[system_name(os, os_version)] += int(n)
        rest -= int(n)
    if rest > 0:
        census.versions[OTHER] += rest
        census.systems[OTHER] += rest

"""The tables of heartbeats: one for each day, by the day in their ids.

The same heartbeat is always of the same day, however often it arrives. To expire a day drops its table.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.database import Database, Transaction

DELETED_AT_ONCE = 500
# Whose turn it is to make or drop a table; sources have numbers from 1.
_TURN = 0

# The columns of a NarrowBeat, and the number of its shape.
COLUMNS = "id, who, received, delay, skew, shape"


@lru_cache(maxsize=1000)
def table_of(day: int) -> schema.Table:
    """The table of a day."""
    names = "source:int id:bytes who:bytes received:int delay:int skew:int shape:int"
    return schema.Table(f"beats_{day}", schema.columns_of(names), key=("source", "id"), on_conflict="ignore")


def time_of(day: int) -> str:
    """The SQL of when a heartbeat of a day happened by our clock."""
    return f"({day * DAY_MS} + received - CASE WHEN delay > 0 THEN delay ELSE 0 END)"


def make_days(tx: Transaction, missing: set[tuple[int, int]]) -> None:
    """Make the tables of these days of sources, as far as they are not there."""
    for source, day in sorted(missing):
        tx.wait_for_turn(_TURN)
        tx.execute(_create(day, tx.dialect))
        tx.execute("INSERT INTO beat_days (source, day) VALUES (?, ?) ON CONFLICT DO NOTHING", source, day)


def days_among(tx: Transaction, wanted: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of these days of sources that have a table."""
    return wanted & set(tx.all(*days_query(wanted))) if wanted else set()


def days_query(wanted: set[tuple[int, int]]) -> tuple[Any, ...]:
    """The query of the days of sources that have a table, and its values: no others than between these."""
    days = [day for _, day in wanted] or [0]
    return "SELECT source, day FROM beat_days WHERE day BETWEEN ? AND ?", min(days), max(days)


def days_of(database: Database | Transaction, source: int) -> list[int]:
    """The days of a source that have a table, the latest first."""
    sql = "SELECT day FROM beat_days WHERE source = ? ORDER BY day DESC"
    return [day for (day,) in database.all(sql, source)]


def all_days(database: Database | Transaction) -> list[int]:
    """The days that have a table, the first one first."""
    return [day for (day,) in database.all("SELECT DISTINCT day FROM beat_days ORDER BY day")]


def drop_day(tx: Transaction, day: int) -> int:
    """Drop the table of a day, if another collector has not; returns how many heartbeats it had."""
    tx.wait_for_turn(_TURN)
    if not tx.execute("DELETE FROM beat_days WHERE day = ?", day):
        return 0
    (count,) = tx.all(f"SELECT COUNT(*) FROM {table_of(day).name}")[0]
    tx.execute(f"DROP TABLE {table_of(day).name}")
    return int(count)


def delete_beats(tx: Transaction, day: int, source: int, keys: Sequence[bytes]) -> int:
    """Delete heartbeats of a day by their ids; returns how many there were."""
    count = 0
    for start in range(0, len(keys), DELETED_AT_ONCE):
        some = keys[start : start + DELETED_AT_ONCE]
        marks = ", ".join("?" * len(some))
        sql = f"DELETE FROM {table_of(day).name} WHERE source = ? AND id IN ({marks})"
        count += tx.execute(sql, source, *some)
    return count


def _create(day: int, dialect: str) -> str:
    # The order of the columns is the one that takes the least space in PostgreSQL.
    blob, tail = ("BLOB", " WITHOUT ROWID") if dialect == "sqlite" else ("BYTEA", "")
    types = {"source": "INTEGER", "received": "INTEGER", "delay": "INTEGER", "skew": "INTEGER"}
    types |= {"shape": "INTEGER", "id": blob, "who": blob}
    columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in types.items())
    return f"CREATE TABLE IF NOT EXISTS {table_of(day).name} ({columns}, PRIMARY KEY (source, id)){tail}"

"""Heartbeats that are stored narrow: the latest ones, those of an instance, and all of a day."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import Any

from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store.beats import Beat, NarrowBeat, text_of, time_in
from collector.store.database import Database, Row
from collector.store.errors import StoreUnavailable
from collector.store.sql.days import COLUMNS, all_days, days_of, table_of
from collector.store.sql.shapes import Shapes
from collector.store.values import PageEnd, StoredEvent

# A number of an event is below, a number of a heartbeat is its id and above.
_LEAST_ID = 1 << 80
_MOST_ID = (1 << 128) - 1
READ_AT_ONCE = 1000

_NEXT = f"SELECT {COLUMNS} FROM {{{{}}}} WHERE source = ? AND id {{}} ? ORDER BY id {{}} LIMIT ?"
_LATEST, _OLDEST = _NEXT.format("<", "DESC"), _NEXT.format(">", "ASC")


def stored_beat(shapes: Shapes, day: int, row: Row) -> StoredEvent:
    """The heartbeat in a row of COLUMNS. In a list by time it stands at the time in its id."""
    beat, text = beat_of(shapes, day, row)
    end = (time_in(beat.id), int.from_bytes(beat.id, "big"))
    return StoredEvent(end, beat.received, beat.time, "track", BEAT, beat.who, None, text)


def beat_of(shapes: Shapes, day: int, row: Row) -> tuple[Beat, str]:
    """The heartbeat in a row of COLUMNS, and its JSON."""
    key, who, received, delay, skew, shape = row
    beat = NarrowBeat(bytes(key), bytes(who), received, delay, skew).on(day)
    return beat, text_of(beat, shapes.text_of(shape))


def next_beats(
    database: Database, source: int, end: PageEnd, most: int, *, oldest_first: bool
) -> Iterator[tuple[int, Row]]:
    """The latest heartbeats before a place by time, or the oldest after it; each with its day."""
    last = id_at(end)
    days, at, sql = days_of(database, source), time_in(last) // DAY_MS, _LATEST
    if oldest_first:
        days, sql = [day for day in reversed(days) if day >= at], _OLDEST
    else:
        days = [day for day in days if day <= at]
    for day in days:
        rows = read_day(database, day, sql, source, last, most)
        most -= len(rows)
        yield from ((day, row) for row in rows)
        if not most:
            return


def id_at(end: PageEnd) -> bytes:
    """The id that parts the heartbeats before a place by time from those after it."""
    at, number = end
    return min(number if number >= _LEAST_ID else at << 80, _MOST_ID).to_bytes(16, "big")


def every_beat(database: Database) -> Iterator[tuple[int, int, Row]]:
    """All heartbeats by their ids, with their source and day. No transaction stays open between two."""
    for day in all_days(database):
        sources = database.all("SELECT source FROM beat_days WHERE day = ? ORDER BY source", day)
        each = (_beats_of(database, day, source) for (source,) in sources)
        yield from merge(*each, key=lambda found: bytes(found[2][0]))


def _beats_of(database: Database, day: int, source: int) -> Iterator[tuple[int, int, Row]]:
    sql = f"SELECT {COLUMNS} FROM {{}} WHERE source = ? AND id > ? ORDER BY id LIMIT {READ_AT_ONCE}"
    last = b""
    while rows := read_day(database, day, sql, source, last):
        last = bytes(rows[-1][0])
        yield from ((source, day, row) for row in rows)


def read_day(database: Database, day: int, sql: str, *values: Any) -> list[Row]:
    """The rows of a query of the table of a day, which is `{}` in it; none if it was dropped meanwhile."""
    try:
        return database.all(sql.format(table_of(day).name), *values)
    except StoreUnavailable:
        if day in all_days(database):
            raise
        return []

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

_LATEST = f"SELECT {COLUMNS} FROM {{}} WHERE source = ? AND id < ? ORDER BY id DESC LIMIT ?"


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


def latest_beats(database: Database, source: int, before: PageEnd, most: int) -> Iterator[tuple[int, Row]]:
    """The latest heartbeats before a place by time, by their ids; each with its day."""
    last, days = _days_before(database, source, before)
    for day in days:
        rows = read_day(database, day, _LATEST, source, last, most)
        most -= len(rows)
        yield from ((day, row) for row in rows)
        if not most:
            return


def _days_before(database: Database, source: int, before: PageEnd) -> tuple[bytes, list[int]]:
    """The id before which heartbeats stand that are before a place by time, and the days that have some."""
    last = id_before(before)
    return last, [day for day in days_of(database, source) if day * DAY_MS <= time_in(last)]


def id_before(before: PageEnd) -> bytes:
    """The id before which heartbeats stand that are before a place by time."""
    at, number = before
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

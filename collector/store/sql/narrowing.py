"""Heartbeats that an older version stored wide are stored narrow, piece by piece, while the server goes on.

A mark has the number of the last event that is still to be looked at; the newest come first. Each piece
changes together with the mark in one transaction. So it may be interrupted at any time, and goes on from
there. Nothing is counted again: a heartbeat counts the same in either form.
"""

from __future__ import annotations

from collector.base.events import BEAT, Event
from collector.store.database import Database, Row, Transaction
from collector.store.errors import Conflict
from collector.store.sql.arrival import SortedEvents, sort_events
from collector.store.sql.days import make_days, table_of
from collector.store.sql.marks import WIDE
from collector.store.sql.shapes import Shapes

# Events that are looked at in one transaction.
PIECE = 500

_LEFT = "SELECT value FROM marks WHERE name = ?"
_EVENTS = (
    "SELECT seq, source, id, received, time, who, body, key FROM events"
    f" WHERE seq <= ? AND name = '{BEAT}' AND type = 'track' AND run IS NULL AND who IS NOT NULL"
    " AND seq > ? ORDER BY seq"
)


def narrow_some(database: Database, shapes: Shapes) -> int:
    """Look at some old events, the newest first; returns the number of the last that is left, or 0."""
    left = old_events_left(database)
    if not left:
        return 0
    first = _first_of_piece(database, left)
    rows = database.all(_EVENTS, left, first - 1)
    numbers = {(source, bytes(key)): seq for seq, source, key, *_ in rows}
    found = sort_events(shapes, map(_event, rows))
    with database.transaction() as tx:
        tx.wait_to_count()  # deletions do, too: each of them sees a heartbeat in one place alone
        if tx.all(_LEFT, WIDE) != [(left,)] or tx.all("SELECT 1 FROM removals LIMIT 1"):
            return left
        _move(tx, found, numbers)
        tx.execute("UPDATE marks SET value = ? WHERE name = ?", first - 1, WIDE)
    return first - 1


def old_events_left(database: Database) -> int:
    """The number of the last old event that may have to be stored anew; 0 if there is none."""
    return next((int(value) for (value,) in database.all(_LEFT, WIDE)), 0)


def _first_of_piece(database: Database, last: int) -> int:
    """The number with which the piece begins that ends with a number; there may be gaps between."""
    piece = f"SELECT seq FROM events WHERE seq <= ? ORDER BY seq DESC LIMIT {PIECE}"
    (first,) = database.all(f"SELECT MIN(seq) FROM ({piece}) AS piece", last)[0]
    return int(first or 1)


def _move(tx: Transaction, found: SortedEvents, numbers: dict[tuple[int, bytes], int]) -> None:
    """Conflict if some of them were deleted meanwhile."""
    moved = [event[:2] for pairs in found.narrow.values() for event, _ in pairs]
    if not moved:
        return
    make_days(tx, {(event.source, day) for day, pairs in found.narrow.items() for event, _ in pairs})
    tx.wait_for_writers()  # else the same heartbeat might come again, and find itself in neither place
    marks = ", ".join("?" * len(moved))
    deleted = tx.execute(f"DELETE FROM events WHERE seq IN ({marks})", *(numbers[key] for key in moved))
    if deleted < len(moved):
        raise Conflict("events were deleted while they were stored anew")
    for day, pairs in found.narrow.items():
        tx.insert_new(table_of(day), [row for _, row in pairs])


def _event(row: Row) -> Event:
    _, source, key, received, time, who, body, write_key = row
    ids = (bytes(who), None)
    return Event(source, bytes(key), received, time, "track", BEAT, *ids, body, write_key)

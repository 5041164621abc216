"""All that was stored, in the order in which it came."""

from __future__ import annotations

from collections.abc import Iterator

from collector.store.database import Database

EVENTS_AT_ONCE = 1000


def stored_bodies(database: Database) -> Iterator[list[str]]:
    """The JSON of every event, oldest first. No transaction stays open between two pieces."""
    last = 0
    sql = "SELECT e.seq, e.body FROM events e WHERE e.seq > ? ORDER BY e.seq LIMIT ?"
    while rows := database.all(sql, last, EVENTS_AT_ONCE):
        last = rows[-1][0]
        yield [body for _, body in rows]

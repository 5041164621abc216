"""All that was stored: events in the order in which they came, and heartbeats by their ids in between."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import chain, islice

from collector.store.beats import time_in
from collector.store.database import Database
from collector.store.events import SourcedBody
from collector.store.sql.beats import beat_of, every_beat
from collector.store.sql.narrowing import old_events_left
from collector.store.sql.shapes import Shapes

EVENTS_AT_ONCE = 1000


def stored_bodies(database: Database, shapes: Shapes) -> Iterator[list[SourcedBody]]:
    """Every event, oldest first. No transaction stays open between two pieces."""
    parts = (_wide(database), _narrow(database, shapes))
    # A heartbeat that moves from one to the other meanwhile may come twice, but is never missing.
    bodies = chain(*parts) if old_events_left(database) else merge(*parts, key=lambda pair: pair[0])
    while piece := [body for _, body in islice(bodies, EVENTS_AT_ONCE)]:
        yield piece


def _wide(database: Database) -> Iterator[tuple[int, SourcedBody]]:
    last = 0
    sql = "SELECT e.seq, e.received, e.source, e.body FROM events e WHERE e.seq > ? ORDER BY e.seq LIMIT ?"
    while rows := database.all(sql, last, EVENTS_AT_ONCE):
        last = rows[-1][0]
        yield from ((received, (source, body)) for _, received, source, body in rows)


def _narrow(database: Database, shapes: Shapes) -> Iterator[tuple[int, SourcedBody]]:
    for source, day, row in every_beat(database):
        beat, text = beat_of(shapes, day, row)
        yield time_in(beat.id), (source, text)

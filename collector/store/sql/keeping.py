"""How events get in: each exactly once. What they are counted in follows later (`folding.py`)."""

from __future__ import annotations

from collections.abc import Iterable

from collector.base.events import Event
from collector.store import schema
from collector.store.database import Database, Transaction
from collector.store.retries import with_retries
from collector.store.sql.arrival import SortedEvents, insert_events, sort_events
from collector.store.sql.folding import add_pending
from collector.store.sql.shapes import Shapes
from collector.store.usage import usage_rows


def keep_events(database: Database, shapes: Shapes, events: Iterable[Event], lane: int) -> int:
    """Store events; again from the start if another collector stored the same ones meanwhile."""
    return _keep_sorted(database, sort_events(shapes, events), lane)


@with_retries
def _keep_sorted(database: Database, events: SortedEvents, lane: int) -> int:
    with database.transaction() as tx:
        return add_events(tx, events, lane)


def add_events(tx: Transaction, events: SortedEvents, lane: int) -> int:
    """Insert events; those that were new wait to be counted."""
    arrived = insert_events(tx, events)
    fresh = [*arrived.wide, *arrived.narrow]
    if fresh:
        add_pending(tx, fresh)
        tx.upsert(schema.USAGE, usage_rows(arrived.wide, arrived.narrow, lane))
    return len(fresh)

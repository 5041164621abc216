"""How events get in: each exactly once, with the counters that it changes, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from collector.base.events import Event
from collector.store import schema
from collector.store.database import Database, Transaction
from collector.store.errors import Conflict
from collector.store.rollups import Ledger
from collector.store.sql.admission import admit_words
from collector.store.sql.arrival import SortedEvents, insert_events, sort_events
from collector.store.sql.shapes import Shapes
from collector.store.usage import usage_rows

TRIES = 5


def keep_events(database: Database, shapes: Shapes, events: Iterable[Event]) -> int:
    """Store events; again from the start if another collector changed the same rows meanwhile."""
    found = sort_events(shapes, events)
    for _ in range(TRIES - 1):
        with suppress(Conflict), database.transaction() as tx:
            return add_events(tx, found)
    with database.transaction() as tx:
        return add_events(tx, found)


def add_events(tx: Transaction, events: SortedEvents) -> int:
    """Insert events, and update the counters for those that were new."""
    arrived = insert_events(tx, events)
    fresh = [*arrived.wide, *arrived.narrow]
    ledger = Ledger()
    telling = [event for event in fresh if event.fact is not None]
    ledger.load_instances(tx.fetch(schema.INSTANCES, sorted({(e.source, e.who) for e in telling if e.who})))
    runs = {(e.source, e.run) for e in telling if e.run}
    ledger.load_runs(tx.fetch(schema.RUNS, sorted(runs)))
    for event in fresh:
        ledger.count(event)
    for table, rows in ledger.changes(admit_words(tx, ledger.words())):
        tx.upsert(table, rows)
    tx.upsert(schema.USAGE, usage_rows(arrived.wide, arrived.narrow))
    return len(fresh)

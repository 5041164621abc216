"""Expiry of heartbeats: a day that is over goes with its table, however many it has.

A heartbeat that came late goes with the others of its day. Of the day in which the time lies, heartbeats are
deleted one by one: a server that expires whole days has none of them. What a power cut brings back expires
again, so no deletion here waits for the disk.
"""

from __future__ import annotations

from collector.base.times import DAY_MS
from collector.store.beats import CLOCK_MS
from collector.store.database import Database
from collector.store.events import Progress
from collector.store.sql.days import all_days, drop_day, table_of
from collector.store.sql.shapes import delete_unused_shapes

DELETED = 5000
# Of a whole day. After each transaction, who waits to keep events goes first: a few large ones are quicker.
EMPTIED = 20_000


def expire_beats(database: Database, before: int, now: int, progress: Progress) -> int:
    """Delete heartbeats of days before a time, and those received before it; returns how many."""
    count = 0
    for day in all_days(database):
        if (day + 1) * DAY_MS <= before:
            while database.dialect == "sqlite" and (deleted := _empty_some(database, day)):
                count += deleted
                progress(count)
            with database.transaction(lasting=False) as tx:
                count += drop_day(tx, day)
            progress(count)
        elif day * DAY_MS < before + CLOCK_MS:
            while deleted := _delete_some(database, day, before):
                count += deleted
                progress(count)
    with database.transaction() as tx:
        delete_unused_shapes(tx, now // DAY_MS)
    return count


def _empty_some(database: Database, day: int) -> int:
    """Delete the first heartbeats of a day; none if no more than these are left.

    SQLite overwrites what is dropped. For a large table that takes seconds, in which it takes no events.
    """
    table = table_of(day).name
    with database.transaction(lasting=False) as tx:
        if day not in all_days(tx):  # somebody else has dropped it
            return 0
        end = tx.all(f"SELECT source, id FROM {table} ORDER BY source, id LIMIT 1 OFFSET {EMPTIED}")
        return tx.execute(f"DELETE FROM {table} WHERE (source, id) < (?, ?)", *end[0]) if end else 0


def _delete_some(database: Database, day: int, before: int) -> int:
    """Delete heartbeats of a day that were received before a time."""
    # The clock of a machine may be an hour ahead, so no older id is of a heartbeat received before.
    last = (before + CLOCK_MS).to_bytes(6, "big")
    table = table_of(day).name
    old = f"SELECT source, id FROM {table} WHERE id < ? AND received < ? LIMIT {DELETED}"
    with database.transaction(lasting=False) as tx:
        return tx.execute(f"DELETE FROM {table} WHERE (source, id) IN ({old})", last, before - day * DAY_MS)

"""Counting apart from keeping: events wait in `pending` until a fold counts them.

A fold takes rows out of `pending`, counts their events and writes the changes in one transaction. So each
event is counted exactly once, whatever dies when. One fold runs at a time. Order does not matter: every
number is a function of the set of events.

Of a large fleet, each event changes the row of another instance, and each of these lies on another page of
the disk. So if many events wait, they are sorted by instance first and cut into pieces, which write each page
once for many events. A fold ends after a piece when its time is over, because whoever keeps events in SQLite
waits for it. A fold that a power cut undoes leaves its events waiting, so it need not last at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from collector.base.events import Event
from collector.store import schema
from collector.store.database import Database, Transaction
from collector.store.errors import StoreUnavailable
from collector.store.rollups import Ledger
from collector.store.sql.admission import admit_words
from collector.store.waiting import pack_events, sort_packed, unpack_events

# A question first counts so many events. If more wait, it answers from what is counted.
LITTLE = 2000
# Events that are counted together; and for how long a fold begins with other pieces.
PIECE = 1000
FOLD_SECONDS = 0.1
# From so many on, waiting events are sorted; at most so many at once, which takes 20 MB of memory.
SORTED_FROM, SORTED_MOST = 20_000, 200_000


def add_pending(tx: Transaction, events: Sequence[Event]) -> None:
    """Let events wait to be counted, as pieces."""
    for start in range(0, len(events), PIECE):
        piece = events[start : start + PIECE]
        _add(tx, min(event.received for event in piece), len(piece), pack_events(piece))


def fold_some(database: Database) -> int:
    """Count some of the events that wait; returns how many. 0 if another collector counts."""
    sort_pending(database)
    with database.transaction(lasting=False) as tx:
        return _fold_for_now(tx) if tx.may_count() else 0


def fold(database: Database) -> int:
    """Count some of the events that wait, once nobody else counts; returns how many."""
    with database.transaction(lasting=False) as tx:
        tx.wait_to_count()
        return _fold_for_now(tx)


def _fold_for_now(tx: Transaction) -> int:
    return _fold(tx, time.monotonic() + FOLD_SECONDS)


def fold_little(database: Database) -> None:
    """Count the events that wait, if they are few. If the store cannot do it now, they go on waiting."""
    waiting = 0
    for (events,) in database.rows("SELECT events FROM pending LIMIT ?", LITTLE + 1):
        waiting += events
        if waiting > LITTLE:
            return
    if waiting:
        with suppress(StoreUnavailable):
            fold(database)


def fold_waiting(database: Database) -> None:
    """Count as many events as wait now, in short transactions."""
    waiting = database.all("SELECT coalesce(SUM(events), 0) FROM pending")[0][0]
    while waiting > 0:
        sort_pending(database)
        waiting -= fold(database) or waiting


def fold_all(tx: Transaction) -> None:
    """Count every event that waits; until the end of the transaction, no other is kept."""
    tx.wait_to_count()
    tx.wait_for_keeps()
    while _fold(tx, float("inf")):
        pass


def counted_until(database: Database) -> int | None:
    """Events received from this time on may not be counted yet; None if all are."""
    fold_little(database)
    at: int | None = database.all("SELECT MIN(at) FROM pending")[0][0]
    return at


def sort_pending(database: Database) -> None:
    """Sort events by instance, if many wait that are not sorted.

    Sorted ones have numbers below zero, so that they are counted first. Only the exchange of the rows is a
    transaction: if another collector has taken some of them meanwhile, nothing changes.
    """
    sql = "SELECT number, at, events FROM pending WHERE number > 0 ORDER BY number LIMIT ?"
    rows = database.all(sql, SORTED_FROM)
    if sum(events for _, _, events in rows) < SORTED_FROM:
        return
    numbers, at, count = list[int](), rows[0][1], 0
    for number, since, events in rows:
        if count + events > SORTED_MOST:
            break
        numbers.append(number)
        at, count = min(at, since), count + events
    chosen = f"pending WHERE number IN ({', '.join('?' * len(numbers))})"
    packed = database.rows(f"SELECT packed FROM {chosen}", *numbers)
    pieces = list(sort_packed((bytes(row) for (row,) in packed), PIECE))
    with database.transaction() as tx:
        # SQLite gives a number again, so that other events may have it by now.
        there = f"SELECT number, at, events FROM {chosen} ORDER BY number"
        if not tx.may_count() or tx.all(there, *numbers) != rows[: len(numbers)]:
            return
        tx.execute(f"DELETE FROM {chosen}", *numbers)
        (lowest,) = tx.all("SELECT coalesce(MIN(number), 0) FROM pending")[0]
        for number, (events, piece) in enumerate(pieces, min(lowest, 0) - len(pieces)):
            _add(tx, at, events, piece, number)


def _add(tx: Transaction, at: int, events: int, packed: bytes, *number: int) -> None:
    names, values = ("at", "events", "packed", "number"), (at, events, packed, *number)
    named = ", ".join(names[: len(values)])
    tx.send(f"INSERT INTO pending ({named}) VALUES ({', '.join('?' * len(values))})", *values)


def _fold(tx: Transaction, until: float) -> int:
    """Count pieces, at least one, until a time by the monotonic clock."""
    count = 0
    while counted := _fold_piece(tx):
        count += counted
        if time.monotonic() >= until:
            break
    return count


def _fold_piece(tx: Transaction) -> int:
    """Count as many rows together as a piece has events. A row of an older version may have more."""
    count, numbers = 0, list[int]()
    for number, events in tx.all("SELECT number, events FROM pending ORDER BY number LIMIT ?", PIECE):
        if numbers and count + events > PIECE:
            break
        numbers.append(number)
        count += events
    if numbers:
        chosen = f"pending WHERE number IN ({', '.join('?' * len(numbers))})"
        packed = tx.all(f"SELECT packed FROM {chosen}", *numbers)
        tx.execute(f"DELETE FROM {chosen}", *numbers)
        _count(tx, (event for (row,) in packed for event in unpack_events(bytes(row))))
    return count


def _count(tx: Transaction, waiting: Iterable[Event]) -> None:
    events = list(waiting)
    ledger = Ledger()
    telling = [event for event in events if event.fact is not None]
    ledger.load_instances(tx.fetch(schema.INSTANCES, sorted({(e.source, e.who) for e in telling if e.who})))
    ledger.load_runs(tx.fetch(schema.RUNS, sorted({(e.source, e.run) for e in telling if e.run})))
    for event in events:
        ledger.count(event)
    for table, rows in ledger.changes(admit_words(tx, ledger.words())):
        tx.upsert(table, rows)

"""Every counter made anew from the events, the instances' slots and the runs, while the server goes on.

All is read in one snapshot: the counters, what waits to be counted, and what they are made from. So what a
counter lacks is right at that moment, and stays right whatever is counted meanwhile. It is added at the end.

Where events have expired, numbers stay as they are: nothing else knows of the days, weeks and cohorts before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.beats import CLOCK_MS
from collector.store.database import Database, Row, Transaction
from collector.store.errors import Conflict
from collector.store.events import Progress
from collector.store.rollups import Ledger, count_instance, count_run
from collector.store.rows import RunRow, instance_of
from collector.store.spans import SPANS, week_of
from collector.store.sql.days import all_days, table_of, time_of
from collector.store.sql.marks import NOTHING_EXPIRED, Marks, marks_of
from collector.store.waiting import unpack_events
from collector.store.words import Word

# Rows that are read at once, and numbers of events that are looked at in one query.
AT_ONCE, SEARCHED = 1000, 50_000

_BEATS = f"SELECT source, {{}} / {DAY_MS} AS day, COUNT(*) FROM {{}} GROUP BY source, day"
MOST = 2**62

Key = tuple[Any, ...]
Counts = dict[schema.Table, Counter[Key]]
_Pieces = Iterator[tuple[Ledger, int]]  # what counts, and how many rows were read for it

# Where the day or the week is in the key of a counter.
_TIMES = {schema.DAILY: 1, schema.ACTIVE: 1, schema.OUTCOMES: 2, schema.COHORTS: 1, schema.RETENTION: 3}
# How many recounts have corrected anything.
_CORRECTED = "SELECT value FROM marks WHERE name = 'recounts'"
_NOTE = (
    "INSERT INTO marks (name, value) VALUES ('recounts', 1)"
    " ON CONFLICT (name) DO UPDATE SET value = marks.value + 1"
)
_WORDS = "SELECT source, kind, day, word FROM words"
_NAMES = (
    f"SELECT source, time / {DAY_MS} AS day, type, name, COUNT(*) FROM events"
    " WHERE seq > ? AND seq <= ? GROUP BY source, day, type, name"
)


def recount(database: Database, progress: Progress) -> int:
    """Correct every counter; returns how many were wrong. Conflict if another recount has corrected some."""
    with database.snapshot() as tx:
        before = tx.all(_CORRECTED)
        missing: Counts = {table: Counter() for table in _TIMES}
        words: set[Word] = {(source, kind, day, word) for source, kind, day, word in tx.all(_WORDS)}
        for ledger in _made_anew(tx, progress):
            _add(missing, ledger, words)
        for table, counts in missing.items():
            for *key, n in tx.all(f"SELECT {', '.join(table.names)} FROM {table.name}"):
                counts[tuple(key)] -= int(n)
        expired = marks_of(tx)
    wrong = {table: _rows(table, counts, expired) for table, counts in missing.items()}
    with database.transaction() as tx:
        tx.wait_to_count()
        if tx.all(_CORRECTED) != before:  # the same counters, it may be
            raise Conflict("another recount has corrected counters meanwhile; run it again")
        for table, rows in wrong.items():
            tx.upsert(table, rows)
            tx.execute(f"DELETE FROM {table.name} WHERE n = 0")
        if any(wrong.values()):
            tx.execute(_NOTE)
    return sum(map(len, wrong.values()))


def _made_anew(tx: Transaction, progress: Progress) -> Iterator[Ledger]:
    """All that must be counted, in pieces."""
    read = 0
    for count in (_count_events, _uncount_pending, _count_instances, _count_runs):
        for ledger, rows in count(tx):
            yield ledger
            read += rows
            progress(read)


def _count_events(tx: Transaction) -> _Pieces:
    (last,) = tx.all("SELECT coalesce(MAX(seq), 0) FROM events")[0]
    for start in range(0, last, SEARCHED):
        ledger, read = Ledger(), 0
        for *key, n in tx.all(_NAMES, start, start + SEARCHED):
            ledger.daily[tuple(key)] += n
            read += n
        yield ledger, read
    for day in all_days(tx):
        ledger, read = Ledger(), 0
        for source, on_day, n in tx.all(_BEATS.format(time_of(day), table_of(day).name)):
            ledger.daily[source, on_day, "track", BEAT] += n
            read += n
        yield ledger, read


def _uncount_pending(tx: Transaction) -> _Pieces:
    """Events that wait are among the events, and no counter has them yet."""
    for rows in _pages(tx, "number, packed", "pending", "number", (-MOST,)):
        ledger = Ledger()
        for _, packed in rows:
            for event in unpack_events(bytes(packed)):
                ledger.daily[event.source, event.time // DAY_MS, event.type, event.name] -= 1
        yield ledger, 0


def _count_instances(tx: Transaction) -> _Pieces:
    for rows in _pages(tx, ", ".join(schema.INSTANCES.names), "instances", "source, id", (-1, b"")):
        ledger = Ledger()
        for row in rows:
            count_instance(ledger, instance_of(row), 1)
        yield ledger, len(rows)


def _count_runs(tx: Transaction) -> _Pieces:
    for rows in _pages(tx, ", ".join(schema.RUNS.names), "runs", "source, id", (-1, b"")):
        ledger = Ledger()
        for row in rows:
            count_run(ledger, RunRow(*row), 1)
        yield ledger, len(rows)


def _pages(tx: Transaction, columns: str, table: str, key: str, after: Key) -> Iterator[list[Row]]:
    """The rows of a table in the order of its key, which the first columns are."""
    marks = ", ".join("?" * len(after))
    sql = f"SELECT {columns} FROM {table} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT {AT_ONCE}"
    while rows := tx.all(sql, *after):
        yield rows
        after = rows[-1][: len(after)]


def _rows(table: schema.Table, counts: Counter[Key], expired: dict[int, Marks]) -> list[Row]:
    return [
        (*key, n)
        for key, n in sorted(counts.items())
        if n and _is_known(table, key, expired.get(key[0], NOTHING_EXPIRED))
    ]


def _is_known(table: schema.Table, key: Key, expired: Marks) -> bool:
    """Whether all that counts there is still in the store."""
    cutoff = expired.instances
    if table is schema.DAILY:
        cutoff = expired.of(key[3])
    elif table is schema.OUTCOMES:
        cutoff = expired.events
    if not cutoff:
        return True
    # Heartbeats go with the day in their ids, and a clock may be an hour wrong.
    day, at = (cutoff + CLOCK_MS) // DAY_MS, key[_TIMES[table]]
    if table in (schema.COHORTS, schema.RETENTION):
        return bool(min(at, key[1]) > week_of(day))
    return bool(at > day + (SPANS[-1] if table is schema.ACTIVE else 0))


def _add(counts: Counts, ledger: Ledger, words: set[Word]) -> None:
    for table, rows in ledger.changes(words):
        if table in counts:
            for *key, n in rows:
                counts[table][tuple(key)] += n

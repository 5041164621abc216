"""Deletion of what is old: events, what is left of their runs and instances, and the words of their days."""

from __future__ import annotations

from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store.beats import CLOCK_MS
from collector.store.database import Database, Transaction
from collector.store.events import Progress
from collector.store.sql.beat_expiry import expire_beats
from collector.store.sql.days import days_of, table_of
from collector.store.sql.folding import fold_all, fold_waiting
from collector.store.sql.marks import note_expiry
from collector.store.usage import HOUR_MS
from collector.store.words import OTHER

# Numbers of events that are looked at in one query, and events that are deleted in one transaction. Events of
# 32 KB are overwritten with zeros: 200 are 7 MB of SQLite's log, which a nearly full disk still takes.
SEARCHED = 10_000
DELETED = 200


def expire_events(database: Database, before: int, now: int, progress: Progress) -> int:
    """Delete events received before a time, and all that only they have left; returns how many.

    The time of receipt counts, because a site without a network may send old events today. Numbers by day
    stay, without the words of what was deleted. Transactions are short, so that a running server goes on.
    """
    with database.transaction() as tx:
        note_expiry(tx, before)
    count = expire_beats(database, before, now, progress)
    last = 0
    while found := _old_events(database, last, before):
        last, old = found
        for start in range(0, len(old), DELETED):
            numbers = old[start : start + DELETED]
            with database.transaction() as tx:
                tx.execute(f"DELETE FROM events WHERE seq IN ({', '.join('?' * len(numbers))})", *numbers)
            count += len(numbers)
            progress(count)
    fold_waiting(database)
    sources = database.all("SELECT DISTINCT source FROM instances")
    with database.transaction() as tx:
        fold_all(tx)
        tx.execute(_OLD_RUNS, before)
        tx.execute("DELETE FROM usage WHERE hour < ?", before // HOUR_MS)
        for (source,) in sources:
            _delete_old_instances(tx, source, before)
    with database.transaction() as tx:
        _forget_words(tx, before // DAY_MS, now // DAY_MS)
    database.tidy()
    return count


def _forget_words(tx: Transaction, last: int, today: int) -> None:
    """On all days up to the last one, count words as OTHER that nothing in the store has any more.

    These days admit no new words, so that all numbers are taken back from where they were added. Only today
    does, for it goes on.
    """
    tx.wait_for_writers()
    fold_all(tx)
    for table, rest, word, unused in (
        ("daily", "type", "name", f"name <> '{BEAT}' AND {_no_event('daily', 'name')}"),
        ("outcomes", "kind, outcome", "word", f"kind <> 'all' AND {_no_run('outcomes')}"),
    ):
        names = f"source, day, {rest}, {word}"
        where = f"day <= ? AND {word} <> '{OTHER}' AND {unused}"
        tx.execute(
            f"INSERT INTO {table} ({names}, n) SELECT source, day, {rest}, '{OTHER}', SUM(n) FROM {table}"
            f" WHERE {where} GROUP BY source, day, {rest}"
            f" ON CONFLICT ({names}) DO UPDATE SET n = {table}.n + excluded.n",
            last,
        )
        tx.execute(f"DELETE FROM {table} WHERE {where}", last)
    tx.execute(
        f"INSERT INTO words (source, kind, day, word, used) SELECT DISTINCT source, kind, day, '{OTHER}', 0"
        " FROM words WHERE day <= ? AND day < ? ON CONFLICT (source, kind, day, word) DO NOTHING",
        last,
        today,
    )
    tx.execute(
        f"DELETE FROM words WHERE day <= ? AND word <> '{OTHER}' AND CASE kind WHEN 'name'"
        f" THEN word <> '{BEAT}' AND {_no_event('words', 'word')} ELSE {_no_run('words')} END",
        last,
    )


def _no_event(table: str, name: str) -> str:
    """The condition that no event of the row's day has its name."""
    same = f"e.source = {table}.source AND e.name = {table}.{name}"
    return f"NOT EXISTS (SELECT 1 FROM events e WHERE {same} AND {_on_day('e.time', table)})"


def _no_run(table: str) -> str:
    """The condition that no run began on the row's day."""
    same = f"r.source = {table}.source"
    return f"NOT EXISTS (SELECT 1 FROM runs r WHERE {same} AND {_on_day('r.began', table)})"


def _on_day(time: str, table: str) -> str:
    return f"{time} >= {table}.day * {DAY_MS} AND {time} < ({table}.day + 1) * {DAY_MS}"


def _old_events(database: Database, after: int, before: int) -> tuple[int, list[int]] | None:
    """The last number that was looked at, and the numbers of events received before a time."""
    sql = "SELECT seq, received FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
    rows = database.all(sql, after, SEARCHED)
    return (rows[-1][0], [seq for seq, received in rows if received < before]) if rows else None


_OLD_RUNS = (
    "DELETE FROM runs WHERE coalesce(asked, ended, started) < ?"
    " AND NOT EXISTS (SELECT 1 FROM events e WHERE e.source = runs.source AND e.run = runs.id)"
)
# Two conditions, because heartbeats are indexed by time and other events by instance.
_OLD_INSTANCES = (
    "DELETE FROM instances WHERE source = ? AND last_seen < ?"
    " AND NOT EXISTS (SELECT 1 FROM events e WHERE e.source = instances.source AND e.who = instances.id"
    " AND e.name <> 'Instance Active')"
    " AND id NOT IN (SELECT who FROM events WHERE source = ? AND name = 'Instance Active' AND time < ?"
    " AND who IS NOT NULL)"
)
_QUIET_ON = " AND id NOT IN (SELECT who FROM {} WHERE source = ? AND id < ?)"


def _delete_old_instances(tx: Transaction, source: int, before: int) -> None:
    """Delete instances that have no event left; a heartbeat that came late keeps its instance."""
    last = (before + CLOCK_MS).to_bytes(6, "big")
    days = [day for day in days_of(tx, source) if day * DAY_MS < before + CLOCK_MS]
    quiet = "".join(_QUIET_ON.format(table_of(day).name) for day in days)
    values = [value for _ in days for value in (source, last)]
    tx.execute(_OLD_INSTANCES + quiet, source, before, source, before, *values)

"""Deletion of what is old: events, what is left of their runs and instances, and the words of their days."""

from __future__ import annotations

from collections.abc import Iterator

from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store.beats import CLOCK_MS
from collector.store.database import Database, Row, Transaction
from collector.store.events import Progress
from collector.store.scope import TOTAL
from collector.store.sql.beat_expiry import expire_beats
from collector.store.sql.days import days_of, table_of
from collector.store.sql.email_expiry import expire_emails
from collector.store.sql.folding import fold_all, fold_waiting
from collector.store.sql.kept_census import drop_censuses
from collector.store.sql.marks import note_cutoffs, note_run
from collector.store.usage import HOUR_MS
from collector.store.values import Cutoffs, Expired
from collector.store.words import OTHER

# Events that are deleted in one transaction. Events of 32 KB are overwritten with zeros: 200 are 7 MB of
# SQLite's log, which a nearly full disk still takes.
DELETED = 200
INSTANCES_AT_ONCE = 1000


def expire_events(database: Database, before: Cutoffs, now: int, progress: Progress) -> Expired:
    """Delete what was received before these times, and all that only that has left.

    The time of receipt counts, because a site without a network may send old events today. Numbers by day
    stay, without the words of what was deleted. Transactions are short, so that a running server goes on.
    """
    _note(database, before)
    beats = expire_beats(database, before.beats, now, progress)
    events = 0
    for source in _sources(database):
        for name in _names(database, source):
            cutoff = before.beats if name == BEAT else before.events
            for count in _delete_named(database, source, name, cutoff):
                beats, events = (beats + count, events) if name == BEAT else (beats, events + count)
                progress(beats + events)
    _delete_unneeded(database, before, now)
    emails = expire_emails(database, before.emails, lambda: progress(beats + events))
    found = Expired(beats, events, emails)
    with database.transaction() as tx:
        note_run(tx, now, found)
        if found.deleted:
            drop_censuses(tx)
    database.tidy()
    return found


def _note(database: Database, before: Cutoffs) -> None:
    """Remember what expires, before anything does: what comes again from now on is not kept again."""
    fold_waiting(database)
    with database.transaction() as tx:
        tx.wait_for_marks()
        fold_all(tx)  # the marks are set for the sources that have counted something
        note_cutoffs(tx, before)


def _sources(database: Database) -> Iterator[int]:
    return (source for (source,) in _each(database, "events", "source", "1 = 1"))


def _names(database: Database, source: int) -> Iterator[str]:
    return (name for (name,) in _each(database, "events", "name", "source = ?", source))


def _delete_named(database: Database, source: int, name: str, before: int) -> Iterator[int]:
    """Delete events with a name that were received before a time; how many with each transaction.

    None was received before it happened, so the index by name and time leads to them.
    """
    sql = (
        "SELECT time, seq FROM events WHERE source = ? AND name = ? AND time < ? AND (time, seq) > (?, ?)"
        f" AND received < ? ORDER BY time, seq LIMIT {DELETED}"
    )
    last: tuple[int, ...] = (-1, 0)
    while old := database.all(sql, source, name, before, *last, before):
        last, numbers = old[-1], [number for _, number in old]
        with database.transaction() as tx:
            marks = ", ".join("?" * len(numbers))
            count = tx.execute(f"DELETE FROM events WHERE seq IN ({marks})", *numbers)
        yield count


def _delete_unneeded(database: Database, before: Cutoffs, now: int) -> None:
    """Delete the runs, instances and words that no event needs any more."""
    fold_waiting(database)
    sources = list(_each(database, "instances", "source", "1 = 1"))
    with database.transaction() as tx:
        fold_all(tx)
        tx.execute("DELETE FROM usage WHERE hour < ?", before.instances // HOUR_MS)
        for (source,) in sources:
            tx.execute(_OLD_RUNS, source, before.events, before.events)
    for (source,) in sources:
        _delete_old_instances(database, source, before.instances)
    with database.transaction() as tx:
        _forget_words(tx, before.events // DAY_MS, now // DAY_MS)


def _forget_words(tx: Transaction, last: int, today: int) -> None:
    """On all days up to the last one, count words as OTHER that nothing in the store has any more.

    These days admit no new words, so that all numbers are taken back from where they were added. Only today
    does, for it goes on.
    """
    tx.wait_for_writers()
    fold_all(tx)
    for table, rest, word, unused in (
        ("daily", "type", "name", f"name <> '{BEAT}' AND {_no_event('daily', 'name')}"),
        ("outcomes", "kind, outcome", "word", f"kind NOT LIKE '%{TOTAL}' AND {_no_run('outcomes')}"),
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


def _each(database: Database, table: str, column: str, where: str, *values: object) -> Iterator[Row]:
    """The different values of a column of a table, each found in an index after the one before."""
    sql = f"SELECT {column} FROM {table} WHERE {where}{{}} ORDER BY {column} LIMIT 1"
    found = database.all(sql.format(""), *values)
    while found:
        yield found[0]
        found = database.all(sql.format(f" AND {column} > ?"), *values, *found[0])


_OLD_RUNS = (
    # The column `began` is indexed. It has no later time, unless an event is left.
    "DELETE FROM runs WHERE source = ? AND (began < ? OR began IS NULL)"
    " AND coalesce(asked, ended, started) < ?"
    " AND NOT EXISTS (SELECT 1 FROM events e WHERE e.source = runs.source AND e.run = runs.id)"
)
# Heartbeats are indexed by time and other events by instance, so they are looked for in two ways. Not by
# NOT IN: PostgreSQL reads the heartbeats again for each instance, if they are more than its memory takes.
_OLD_INSTANCES = (
    "SELECT id FROM instances WHERE source = ? AND last_seen < ?"
    " AND NOT EXISTS (SELECT 1 FROM events e WHERE e.source = instances.source AND e.who = instances.id"
    " AND e.name <> 'Instance Active')"
    " EXCEPT SELECT who FROM events WHERE source = ? AND name = 'Instance Active' AND time < ?"
    " AND who IS NOT NULL"
)
_QUIET_ON = " EXCEPT SELECT who FROM {} WHERE source = ? AND id < ?"


def _delete_old_instances(database: Database, source: int, before: int) -> None:
    """Delete instances that have no event left; a heartbeat that came late keeps its instance.

    Nothing so old is stored any more since the cutoffs were noted. So an instance can only be seen again.
    """
    sql, values = old_instances(database, source, before)
    old = database.all(sql, *values)
    for start in range(0, len(old), INSTANCES_AT_ONCE):
        some = [key for (key,) in old[start : start + INSTANCES_AT_ONCE]]
        marks = ", ".join("?" * len(some))
        with database.transaction() as tx:
            fold_all(tx)
            sql = f"DELETE FROM instances WHERE source = ? AND last_seen < ? AND id IN ({marks})"
            tx.execute(sql, source, before, *some)


def old_instances(database: Database, source: int, before: int) -> tuple[str, list[object]]:
    """The query of the instances that have no event left, and its values."""
    last = (before + CLOCK_MS).to_bytes(6, "big")
    days = [day for day in days_of(database, source) if day * DAY_MS < before + CLOCK_MS]
    quiet = "".join(_QUIET_ON.format(table_of(day).name) for day in days)
    values = [value for _ in days for value in (source, last)]
    return _OLD_INSTANCES + quiet, [source, before, source, before, *values]

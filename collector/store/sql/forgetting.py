"""Forget an instance: its events, its runs, its requests for help, and what they added to the counters.

What an earlier purge has deleted is not found here: it stays counted by day, under no id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from collector.base.events import BEAT, CATALOGUE, Event, fact_of, mapping
from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.beats import CLOCK_MS
from collector.store.database import Database, Row, Transaction
from collector.store.errors import Conflict
from collector.store.retries import with_retries
from collector.store.rollups import Ledger
from collector.store.rows import InstanceRow, RunRow, instance_of
from collector.store.spans import SLOT_MS, SLOTS_A_DAY, bits_of
from collector.store.sql.beats import read_day
from collector.store.sql.days import days_of, delete_beats, time_of
from collector.store.sql.folding import fold_all, fold_waiting
from collector.store.sql.takeback import replace_instance, replace_run, write_changes
from collector.store.values import Forgotten

DELETED_AT_ONCE = 500
# Whoever has a write key sends any number of events of a run, of 32 KB each. Of so many the numbers are read
# at once, and of so many the JSON.
FOUND_AT_ONCE, TOLD_AT_ONCE = 100_000, 200

_EVENT = "seq, id, time, type, name, run"
_INSTANCE = f"SELECT {', '.join(schema.INSTANCES.names)} FROM instances WHERE source = ? AND id = ?"
# By the times that the instance's row tells, because heartbeats are not indexed by instance.
_BEATS = (
    f"SELECT {_EVENT} FROM events WHERE source = ? AND name = '{BEAT}' AND time >= ? AND time < ? AND who = ?"
)
_OTHERS = f"SELECT {_EVENT} FROM events WHERE source = ? AND who = ? AND name <> '{BEAT}'"
_TOLD = (
    "SELECT seq FROM events WHERE source = ? AND run = ? AND seq > ? AND type = 'track' AND who IS NOT NULL"
    " ORDER BY seq LIMIT ?"
)
# A purge of a key that was interrupted leaves notes, of what it goes on with.
_NOTE = "DELETE FROM removals WHERE kind IN ('instance', 'beating', 'run') AND source = ? AND id = ?"


@dataclass(frozen=True)
class _Found:
    """The heartbeats of an instance, and its row when they were searched for."""

    instance: InstanceRow | None
    beats: list[Row] = field(default_factory=list)
    narrow: dict[int, list[Row]] = field(default_factory=dict)  # ids and times, by day


@with_retries
def forget_instance(database: Database, source: int, who: bytes) -> Forgotten:
    """Delete all that is stored of an instance, in one transaction."""
    fold_waiting(database)
    found = _search(database, source, who)
    if found.instance is None and not database.all(f"{_OTHERS} LIMIT 1", source, who):
        return Forgotten()
    with database.transaction() as tx:
        done = _forget(tx, source, who, found)
    database.tidy()
    return done


def _search(database: Database, source: int, who: bytes) -> _Found:
    """Outside the transaction, because the heartbeats of all other instances stand between these."""
    instance = _instance_in(database.all(_INSTANCE, source, who))
    if instance is None:
        return _Found(None)
    times = [_times(instance, first, last) for first, last in _spans(bits_of(instance.slots, 1))]
    beats = [row for begin, end in times for row in database.rows(_BEATS, source, begin, end, who)]
    narrow = {day: _narrow_beats(database, day, source, who, times) for day in days_of(database, source)}
    return _Found(instance, beats, narrow)


def _narrow_beats(
    database: Database, day: int, source: int, who: bytes, times: Iterable[tuple[int, int]]
) -> list[Row]:
    """Ids and times of heartbeats of a day, by the times in their ids: a clock may be an hour wrong."""
    sql = f"SELECT id, {time_of(day)} FROM {{}} WHERE source = ? AND id >= ? AND id < ? AND who = ?"
    found: dict[bytes, Row] = {}  # each once, though two ranges may have it
    for begin, end in times:
        first, last = max(begin - CLOCK_MS, day * DAY_MS), min(end + CLOCK_MS, (day + 1) * DAY_MS)
        if first < last:
            keys = first.to_bytes(6, "big"), last.to_bytes(6, "big")
            found.update((bytes(row[0]), row) for row in read_day(database, day, sql, source, *keys, who))
    return list(found.values())


def _instance_in(rows: Iterable[Row]) -> InstanceRow | None:
    return next(map(instance_of, rows), None)


def _spans(slots: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Runs of neighbours, by their first and last."""
    first = last = -1
    for slot in slots:
        if first >= 0 and slot > last + 1:
            yield first, last
            first = slot
        first, last = (slot if first < 0 else first), slot
    if first >= 0:
        yield first, last


def _times(instance: InstanceRow, first: int, last: int) -> tuple[int, int]:
    begin = instance.first_day * SLOTS_A_DAY
    return (begin + first) * SLOT_MS, (begin + last + 1) * SLOT_MS


def _forget(tx: Transaction, source: int, who: bytes, found: _Found) -> Forgotten:
    """Conflict if another heartbeat has arrived since the search."""
    fold_all(tx)
    instance = _instance_in(tx.fetch(schema.INSTANCES, [(source, who)]))
    if instance != found.instance:
        raise Conflict("the instance sends too many events now; try again later")
    events = found.beats + tx.all(_OTHERS, source, who)
    runs = _affected_runs(tx, source, who, events)
    narrow = [row for rows in found.narrow.values() for row in rows]
    if _delete(tx, [event[0] for event in events]) < len(events):
        raise Conflict("heartbeats were stored anew since the search")
    for day, rows in found.narrow.items():
        delete_beats(tx, day, source, [key for key, _ in rows])
    ledger = Ledger()
    for _, _, time, call, name, _ in events:
        ledger.daily[source, time // DAY_MS, call, name] -= 1
    for _, time in narrow:
        ledger.daily[source, time // DAY_MS, "track", BEAT] -= 1
    tx.execute(_NOTE, source, who)
    if instance is not None:
        tx.execute("DELETE FROM instances WHERE source = ? AND id = ?", source, who)
        replace_instance(ledger, instance, None)
    for run in runs:
        again = _recounted(tx, run)
        replace_run(ledger, run, again)
        if again is None:
            tx.execute("DELETE FROM runs WHERE source = ? AND id = ?", source, run.id)
            tx.execute(_NOTE, source, run.id)
    write_changes(tx, ledger)
    keys = sorted([*(bytes(event[1]) for event in events), *(bytes(key) for key, _ in narrow)])
    digest = sha256(b"".join(keys)).hexdigest()
    requests = sum(run.asked is not None for run in runs)
    return Forgotten(len(keys), len(runs), requests, int(instance is not None), digest)


def _delete(tx: Transaction, numbers: Sequence[int]) -> int:
    """How many there were."""
    count = 0
    for start in range(0, len(numbers), DELETED_AT_ONCE):
        some = numbers[start : start + DELETED_AT_ONCE]
        count += tx.execute(f"DELETE FROM events WHERE seq IN ({','.join('?' * len(some))})", *some)
    return count


def _affected_runs(tx: Transaction, source: int, who: bytes, events: Sequence[Row]) -> list[RunRow]:
    """Its runs, and those of others that it has told something of."""
    own = tx.all("SELECT id FROM runs WHERE source = ? AND instance = ?", source, who)
    keys = {bytes(key) for (key,) in own} | {bytes(event[5]) for event in events if event[5] is not None}
    return [RunRow(*row) for row in tx.fetch(schema.RUNS, [(source, key) for key in sorted(keys)])]


def _recounted(tx: Transaction, run: RunRow) -> RunRow | None:
    """The run by what other instances have told of it; None if there is nothing."""
    again: RunRow | None = None
    for key, time, name, who, body in _told(tx, run):
        if name not in CATALOGUE or name == BEAT:
            continue
        told = json.loads(body)
        fact = fact_of(name, mapping(told.get("context")), mapping(told.get("properties")))
        event = Event(run.source, bytes(key), time, time, "track", name, bytes(who), run.id, "", fact=fact)
        again = again or RunRow(run.source, run.id, bytes(who))
        again.saw(event, fact)
    return again


def _told(tx: Transaction, run: RunRow) -> Iterator[Row]:
    """What is left of the events of a run, some at a time.

    Their numbers are found first, and very many at once: PostgreSQL reads the whole run for that.
    """
    last = -1
    while found := [number for (number,) in tx.all(_TOLD, run.source, run.id, last, FOUND_AT_ONCE)]:
        last = found[-1]
        for start in range(0, len(found), TOLD_AT_ONCE):
            some = found[start : start + TOLD_AT_ONCE]
            marks = ",".join("?" * len(some))
            yield from tx.all(f"SELECT id, time, name, who, body FROM events WHERE seq IN ({marks})", *some)

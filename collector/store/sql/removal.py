"""Events of a write key, taken out with all that they were counted in.

1. The events are deleted and taken out of the counts by day. Their instances and runs are noted.
2. Noted runs are made anew from the events that they have left, and so are instances without a heartbeat.
3. For the other instances all heartbeats are read: they are not indexed by instance. They are read again for
   those instances that sent one meanwhile.

Transactions are short, so that a running server goes on. The notes are in the database: a removal that was
interrupted goes on when it is called again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from collector.base.events import BEAT, CATALOGUE, NOTHING, Event, fact_of, mapping
from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.beats import CLOCK_MS, LATE_MS
from collector.store.database import Database, Key, Row, Transaction
from collector.store.errors import StoreUnavailable
from collector.store.events import Progress
from collector.store.rollups import Ledger
from collector.store.rows import InstanceRow, RunRow, instance_of
from collector.store.sql.beats import read_day
from collector.store.sql.days import days_of, delete_beats, table_of, time_of
from collector.store.sql.folding import fold_all, fold_waiting
from collector.store.sql.kept_census import drop_censuses
from collector.store.sql.shapes import shapes_of_key
from collector.store.sql.takeback import replace_instance, replace_run, write_changes

# Events of a transaction, and instances or runs of one.
AT_ONCE = 200
# Instances for which heartbeats are read at once: about 100 MB.
MOST_SCANNED = 200_000
SCANNED_AT_ONCE = 10_000
TRIES = 5

_EVENT = ", ".join(schema.EVENTS.names)
_OTHERS = " AND type = 'track' AND name IN ({})".format(
    ", ".join(f"'{name}'" for name in sorted(CATALOGUE - {BEAT}))
)


def remove_events(database: Database, key: int, since: int, until: int, progress: Progress) -> int:
    """Delete the events of a write key that were received within two times; returns how many."""
    count = last = 0
    fold_waiting(database)
    finish(database)
    sql = (
        "SELECT seq FROM events WHERE seq > ? AND key = ? AND received >= ? AND received < ?"
        f" ORDER BY seq LIMIT {AT_ONCE}"
    )
    while numbers := [number for (number,) in database.all(sql, last, key, since, until)]:
        last = numbers[-1]
        count += _in_transaction(database, partial(_delete, numbers=numbers))
        progress(count)
    for source, shapes in shapes_of_key(database, key).items():
        for day in days_of(database, source):
            for keys in _narrow_keys(database, day, source, shapes, since, until):
                count += _in_transaction(database, partial(_delete_narrow, day=day, source=source, keys=keys))
                progress(count)
    finish(database)
    with database.transaction() as tx:
        drop_censuses(tx)
    database.tidy()
    return count


def finish(database: Database) -> None:
    """Make the instances and runs anew that are noted."""
    while noted := _notes(database, "run", AT_ONCE):
        _in_transaction(database, partial(_replace_runs, keys=list(noted)))
    while noted := _notes(database, "instance", AT_ONCE):
        _in_transaction(database, partial(_replace_quiet_instances, noted=noted))
    idle = 0
    while noted := _notes(database, "beating", MOST_SCANNED):
        if idle < TRIES:
            idle = 0 if _replace_beating_instances(database, list(noted)) else idle + 1
        else:  # they send all the time: let them wait
            _in_transaction(database, partial(_replace_by_beats, keys=list(noted)[:AT_ONCE]))


def _in_transaction(database: Database, change: Callable[[Transaction], int]) -> int:
    """Run it once all is counted; again if another collector changed the same rows meanwhile."""
    for _ in range(TRIES - 1):
        with suppress(StoreUnavailable), database.transaction() as tx:
            fold_all(tx)
            return change(tx)
    with database.transaction() as tx:
        fold_all(tx)
        return change(tx)


def _notes(database: Database, kind: str, most: int) -> dict[Key, int]:
    """Noted instances or runs, and how many heartbeats of each were deleted."""
    sql = "SELECT source, id, beats FROM removals WHERE kind = ? ORDER BY source, id LIMIT ?"
    return {(source, bytes(key)): beats for source, key, beats in database.all(sql, kind, most)}


def _note(tx: Transaction, kind: str, counts: Counter[Key]) -> None:
    sql = (
        "INSERT INTO removals (source, kind, id, beats) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (kind, source, id) DO UPDATE SET beats = removals.beats + excluded.beats"
    )
    for (source, key), beats in sorted(counts.items()):
        tx.execute(sql, source, kind, key, beats)


def _forget_notes(tx: Transaction, kind: str, keys: Iterable[Key]) -> None:
    for source, key in keys:
        tx.execute("DELETE FROM removals WHERE kind = ? AND source = ? AND id = ?", kind, source, key)


def _delete(tx: Transaction, numbers: list[int]) -> int:
    marks = ", ".join("?" * len(numbers))
    events = _events(tx.all(f"SELECT {_EVENT} FROM events WHERE seq IN ({marks})", *numbers))
    tx.execute(f"DELETE FROM events WHERE seq IN ({marks})", *numbers)
    ledger, beats, runs = Ledger(), Counter[Key](), Counter[Key]()
    for event in events:
        ledger.daily[event.source, event.time // DAY_MS, event.type, event.name] -= 1
        if event.fact is not None and event.who is not None:
            beats[event.source, event.who] += event.name == BEAT
            if event.run is not None and event.name != BEAT:
                runs[event.source, event.run] += 0
    _note(tx, "instance", beats)
    _note(tx, "run", runs)
    write_changes(tx, ledger)
    return len(events)


def _narrow_keys(
    database: Database, day: int, source: int, shapes: list[int], since: int, until: int
) -> Iterator[list[bytes]]:
    """The ids of narrow heartbeats of a day with one of the shapes, received within two times."""
    sql = (
        f"SELECT id FROM {{}} WHERE source = ? AND id > ? AND received >= ? AND received < ?"
        f" AND shape IN ({', '.join('?' * len(shapes))}) ORDER BY id LIMIT {AT_ONCE}"
    )
    start = day * DAY_MS
    if start - CLOCK_MS >= until or start + DAY_MS + LATE_MS < since:
        return
    last = b""
    while rows := read_day(database, day, sql, source, last, since - start, until - start, *shapes):
        last = bytes(rows[-1][0])
        yield [bytes(key) for (key,) in rows]


def _delete_narrow(tx: Transaction, day: int, source: int, keys: list[bytes]) -> int:
    marks = ", ".join("?" * len(keys))
    sql = f"SELECT who, {time_of(day)} FROM {table_of(day).name} WHERE source = ? AND id IN ({marks})"
    ledger, beats = Ledger(), Counter[Key]()
    for who, time in tx.all(sql, source, *keys):
        ledger.daily[source, time // DAY_MS, "track", BEAT] -= 1
        beats[source, bytes(who)] += 1
    _note(tx, "instance", beats)
    write_changes(tx, ledger)
    return delete_beats(tx, day, source, keys)


def _events(rows: Iterable[Row]) -> list[Event]:
    return [_event(row) for row in rows]


def _event(row: Row) -> Event:
    """An event as it was counted."""
    source, key, received, time, kind, name, who, run, body, write_key = row
    fact = None
    if kind == "track" and who is not None and name in CATALOGUE:
        root = {} if name == BEAT else mapping(msgspec.json.decode(body))
        fact = fact_of(name, mapping(root.get("context")), mapping(root.get("properties")))
    ids = (_bytes(who), _bytes(run))
    return Event(source, bytes(key), received, time, kind, name, *ids, body, write_key, fact)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _replace_runs(tx: Transaction, keys: list[Key]) -> int:
    ledger = Ledger()
    for row in tx.fetch(schema.RUNS, keys):
        old, new = RunRow(*row), None
        sql = f"SELECT {_EVENT} FROM events WHERE source = ? AND run = ? AND who IS NOT NULL{_OTHERS}"
        for event in _events(tx.all(sql, old.source, old.id)):
            new = new or RunRow(old.source, old.id, event.who or b"")
            new.saw(event, event.fact or NOTHING)
        replace_run(ledger, old, new)
        if new is None:
            tx.execute("DELETE FROM runs WHERE source = ? AND id = ?", old.source, old.id)
    write_changes(tx, ledger)
    _forget_notes(tx, "run", keys)
    return len(keys)


def _replace_quiet_instances(tx: Transaction, noted: dict[Key, int]) -> int:
    """Make those anew that have no heartbeat left; note the others as beating."""
    ledger, beating = Ledger(), Counter[Key]()
    for row in tx.fetch(schema.INSTANCES, sorted(noted)):
        old = instance_of(row)
        if old.beats > noted[old.source, old.id]:
            beating[old.source, old.id] = 0
        else:
            _replace_instance(tx, ledger, old, None)
    _note(tx, "beating", beating)
    write_changes(tx, ledger)
    _forget_notes(tx, "instance", noted)
    return len(noted)


def _replace_instance(tx: Transaction, ledger: Ledger, old: InstanceRow, beats: InstanceRow | None) -> None:
    """Count an instance by its heartbeats that are left, and its other events."""
    new = beats
    sql = f"SELECT {_EVENT} FROM events WHERE source = ? AND who = ? AND name <> '{BEAT}'{_OTHERS}"
    for event in _events(tx.all(sql, old.source, old.id)):
        new = new or InstanceRow(old.source, old.id, event.time, event.time)
        new.saw(event)
    replace_instance(ledger, old, new)
    if new is None:
        tx.execute("DELETE FROM instances WHERE source = ? AND id = ?", old.source, old.id)


def _replace_beating_instances(database: Database, keys: list[Key]) -> int:
    """Returns how many were replaced: not those that sent a heartbeat while all were read."""
    known: dict[Key, int] = {}
    for start in range(0, len(keys), AT_ONCE):
        with database.transaction() as tx:
            known.update((row[:2], row[5]) for row in _instances(tx, keys[start : start + AT_ONCE]))
    beats = _all_beats(database, keys)
    count = 0
    for start in range(0, len(keys), AT_ONCE):
        chosen = keys[start : start + AT_ONCE]
        count += _in_transaction(database, partial(_replace_by_beats, keys=chosen, seen=(known, beats)))
    return count


def _instances(tx: Transaction, keys: list[Key]) -> list[Row]:
    return [(row[0], bytes(row[1]), *row[2:]) for row in tx.fetch(schema.INSTANCES, keys)]


def _replace_by_beats(
    tx: Transaction, keys: list[Key], seen: tuple[dict[Key, int], dict[Key, InstanceRow]] | None = None
) -> int:
    """Replace instances by the heartbeats that were seen, if they had as many then as now."""
    rows = _instances(tx, keys)
    known, beats = seen or ({row[:2]: row[5] for row in rows}, _all_beats(tx, keys))
    ledger = Ledger()
    changed = {row[:2] for row in rows if row[5] != known.get(row[:2])}
    for row in rows:
        if row[:2] not in changed:
            # A copy, because this may run again.
            again = beats.get(row[:2])
            _replace_instance(tx, ledger, instance_of(row), again and replace(again))
    write_changes(tx, ledger)
    _forget_notes(tx, "beating", set(keys) - changed)
    return len(keys) - len(changed)


def _all_beats(store: Database | Transaction, keys: Iterable[Key]) -> dict[Key, InstanceRow]:
    """Instances by their heartbeats alone, from all that there are of their sources."""
    beats: dict[Key, InstanceRow] = {}
    wanted = set(keys)
    (last,) = store.all("SELECT coalesce(max(seq), 0) FROM events")[0]
    for start in range(0, last, SCANNED_AT_ONCE):
        rows = store.all(_BEATS, start, min(start + SCANNED_AT_ONCE, last))
        _see_beats(beats, wanted, rows)
    for source in {source for source, _ in wanted}:
        for day in days_of(store, source):
            last_id = b""
            sql = _NARROW_BEATS.format(time_of(day), table_of(day).name)
            while rows := store.all(sql, source, last_id, SCANNED_AT_ONCE):
                last_id = bytes(rows[-1][3])
                _see_beats(beats, wanted, (row[:3] for row in rows))
    return beats


def _see_beats(beats: dict[Key, InstanceRow], wanted: set[Key], rows: Iterable[Row]) -> None:
    for source, who, time in rows:
        key = (source, bytes(who))
        if key in wanted:
            instance = beats.setdefault(key, InstanceRow(*key, time, time))
            instance.beat(time)


_BEATS = (
    f"SELECT source, who, time FROM events WHERE seq > ? AND seq <= ? AND name = '{BEAT}'"
    " AND type = 'track' AND who IS NOT NULL"
)
_NARROW_BEATS = "SELECT source, who, {}, id FROM {} WHERE source = ? AND id > ? ORDER BY id LIMIT ?"

"""Events of a write key, taken out with all that they were counted in.

1. The events are deleted and taken out of the counts by day. Their instances and runs are noted.
2. Noted runs are made anew from the events that they have left, and so are instances without a heartbeat.
3. For the other instances all heartbeats of the source are read once: they are not indexed by instance.

Transactions are short, so that a running server goes on. The notes are in the database: a removal that was
interrupted goes on when it is called again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from collector.base.events import BEAT, CATALOGUE, NOTHING, Event, fact_of, mapping
from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.database import Database, Row, Transaction
from collector.store.errors import StoreUnavailable
from collector.store.events import Progress
from collector.store.rollups import Ledger
from collector.store.rows import InstanceRow, RunRow, instance_of
from collector.store.sql.takeback import replace_instance, replace_run, write_changes

Key = tuple[int, bytes]

# Events of a transaction, and instances or runs of one.
AT_ONCE = 200
# Instances for which heartbeats are read at once: about 100 MB.
MOST_SCANNED = 200_000
SCANNED_AT_ONCE = 10_000
LAST = 2**62
TRIES = 5

_EVENT = ", ".join(schema.EVENTS.names)
_OTHERS = " AND type = 'track' AND name IN ({})".format(
    ", ".join(f"'{name}'" for name in sorted(CATALOGUE - {BEAT}))
)


def remove_events(database: Database, key: int, since: int, until: int, progress: Progress) -> int:
    """Delete the events of a write key that were received within two times; returns how many."""
    count = last = 0
    finish(database)
    sql = (
        "SELECT seq FROM events WHERE seq > ? AND key = ? AND received >= ? AND received < ?"
        f" ORDER BY seq LIMIT {AT_ONCE}"
    )
    while numbers := [number for (number,) in database.all(sql, last, key, since, until)]:
        last = numbers[-1]
        count += _in_transaction(database, partial(_delete, numbers=numbers))
        progress(count)
    finish(database)
    database.tidy()
    return count


def finish(database: Database) -> None:
    """Make the instances and runs anew that are noted."""
    while noted := _notes(database, "run", AT_ONCE):
        _in_transaction(database, partial(_replace_runs, keys=list(noted)))
    while noted := _notes(database, "instance", AT_ONCE):
        _in_transaction(database, partial(_replace_quiet_instances, noted=noted))
    while noted := _notes(database, "beating", MOST_SCANNED):
        _replace_beating_instances(database, list(noted))


def _in_transaction(database: Database, change: Callable[[Transaction], int]) -> int:
    """Run it; again if another collector changed the same rows meanwhile."""
    for _ in range(TRIES - 1):
        with suppress(StoreUnavailable), database.transaction() as tx:
            return change(tx)
    with database.transaction() as tx:
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


def _replace_beating_instances(database: Database, keys: list[Key]) -> None:
    with database.transaction() as tx:
        tx.wait_for_writers()
        (last,) = tx.all("SELECT coalesce(max(seq), 0) FROM events")[0]
    beats: dict[Key, InstanceRow | None] = dict.fromkeys(keys)
    for start in range(0, last, SCANNED_AT_ONCE):
        _see_beats(beats, database.all(_BEATS, start, min(start + SCANNED_AT_ONCE, last)))
    for start in range(0, len(keys), AT_ONCE):
        chosen = keys[start : start + AT_ONCE]
        _in_transaction(database, partial(_replace_by_beats, keys=chosen, beats=beats, last=last))


def _see_beats(beats: dict[Key, InstanceRow | None], rows: Iterable[Row]) -> None:
    for source, who, time in rows:
        key = (source, bytes(who))
        if key in beats:
            instance = beats[key] = beats[key] or InstanceRow(*key, time, time)
            instance.beat(time)


def _replace_by_beats(
    tx: Transaction, keys: list[Key], beats: dict[Key, InstanceRow | None], last: int
) -> int:
    """Replace instances, with heartbeats up to a number already seen."""
    ledger, rows = Ledger(), tx.fetch(schema.INSTANCES, keys)
    # A copy, because this may run again.
    mine = {key: replace(seen) if (seen := beats[key]) else None for key in keys}
    _see_beats(mine, tx.all(_BEATS, last, LAST))
    for row in rows:
        old = instance_of(row)
        _replace_instance(tx, ledger, old, mine[old.source, old.id])
    write_changes(tx, ledger)
    _forget_notes(tx, "beating", keys)
    return len(keys)


_BEATS = (
    f"SELECT source, who, time FROM events WHERE seq > ? AND seq <= ? AND name = '{BEAT}'"
    " AND type = 'track' AND who IS NOT NULL"
)

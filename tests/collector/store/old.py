"""Databases as an older version left them: each heartbeat with its JSON, and all counted as it was stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace

import pytest

from collector.base.events import Event
from collector.base.ids import uuid_of
from collector.base.times import write_time
from collector.ingest import decode
from collector.store import migrations, open_database, schema
from collector.store.database import Database, Row
from collector.store.migrations import MIGRATIONS
from collector.store.packed_slots import unpack_slots
from collector.store.rollups import Ledger
from collector.store.sql.admission import admit_words
from tests.collector.store.contract.history import pieces

LAST_OLD = "removal_notes"
# As they were: environments came later.
INSTANCES = migrations.FIRST_INSTANCES
RUNS = replace(schema.RUNS, columns=schema.RUNS.columns[:-1])
SLOTS = INSTANCES.names.index("slots")


def leave_old_database(url: str, events: Sequence[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """A database with the tables of that version, in which these events are stored."""
    names = [migration.__name__ for migration in MIGRATIONS]
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", MIGRATIONS[: names.index(LAST_OLD) + 1])
        with closing(open_database(url)) as old:
            for piece in pieces(events, 5000):
                _keep(old, piece)


def _keep(old: Database, events: Iterable[Event]) -> None:
    ledger = Ledger()
    with old.transaction() as tx:
        stored = tx.insert_new(schema.EVENTS, [event[:-1] for event in sorted(events)])
        telling = [event for event in events if event.fact is not None and event[:2] in stored]
        ledger.load_instances(tx.fetch(INSTANCES, sorted({(e.source, e.who or b"") for e in telling})))
        ledger.load_runs(tx.fetch(RUNS, sorted({(e.source, e.run) for e in telling if e.run})))
        for event in events:
            ledger.count(event)
        for table, rows in ledger.changes(admit_words(tx, ledger.words())):
            old_table = {"instances": INSTANCES, "runs": RUNS}.get(table.name, table)
            old_rows = map(_with_bare_slots, rows) if table.name == "instances" else rows
            tx.upsert(old_table, [row[: len(old_table.columns)] for row in old_rows])


def _with_bare_slots(row: Row) -> Row:
    """The row of an instance with its slots as bits, as they were."""
    slots = unpack_slots(row[SLOTS])
    return (*row[:SLOTS], slots.to_bytes((slots.bit_length() + 7) // 8, "little"), *row[SLOTS + 1 :])


def old_beats(count: int, instances: int, now: int) -> list[Event]:
    """Heartbeats of the agent, one every 6 h from each instance, the last ones just now."""
    return [
        _beat(number, number % instances, now, 6 * 3_600_000 * (number // instances))
        for number in range(count)
    ]


def _beat(number: int, instance: int, now: int, ago: int) -> Event:
    made = now - ago - instance % 1000
    who = uuid_of(instance.to_bytes(16, "big"), 4)
    told = {
        "type": "track",
        "event": "Instance Active",
        "anonymousId": who,
        "messageId": uuid_of(made.to_bytes(6, "big") + number.to_bytes(10, "big"), 7),
        "timestamp": write_time(made),
        "context": {"library": {"name": "rollcall", "version": "0.1.0"}, "ip": "0.0.0.0"},
        "integrations": {},
        "properties": {"instanceId": who},
    }
    return decode.read_event(told, "", 1, made + 100, write_time(made + 50), key=1)

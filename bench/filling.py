"""A fleet with a year of history, put into a store at once: instances with random ids, and their counters.

A thousand lives are made up, and each is that of many instances. So the counters of a life are reckoned once.
The instances of a life are milliseconds apart: in an index by time none of them is the other's neighbour.
"""

from __future__ import annotations

import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from collector.base.events import Event
from collector.base.ids import as_uuid, uuid_of
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.store import schema
from collector.store.database import Database
from collector.store.rollups import Ledger, count_instance
from collector.store.rows import InstanceRow, instance_row
from collector.store.spans import SLOT_MS, SLOTS_A_DAY

LIVES = 1000
YEAR = 365
# Of a hundred instances: so many were seen for an hour alone, and so many have fallen silent at some time.
SHORT, SILENT = 3, 20
AT_ONCE = 20_000
EMPTY_DAYS = 3
APART_MS = 10_000


def beats(ids: Sequence[bytes], made: int, amount: int, source: int) -> list[Event]:
    """Heartbeats of random instances, one each millisecond."""
    found = []
    for at, who in enumerate(random.sample(ids, min(amount, len(ids))), made):
        told = {
            "type": "track",
            "event": "Instance Active",
            "anonymousId": as_uuid(who),
            "messageId": uuid_of(at.to_bytes(6, "big") + os.urandom(10), 7),
            "timestamp": write_time(at),
            "context": {"library": {"name": "rollcall", "version": "0.1.0"}, "ip": "0.0.0.0"},
            "integrations": {},
            "properties": {"instanceId": as_uuid(who)},
        }
        found.append(decode.read_event(told, "", source, at + 200, write_time(at + 100), key=1))
    return found


def fill(database: Database, source: int, instances: int, now: int) -> list[bytes]:
    """Put a fleet into an empty store; the ids of its instances, in no order."""
    chance = random.Random(instances)
    lives = [_life(chance, source, now) for _ in range(LIVES)]
    ids = [uuid.UUID(int=chance.getrandbits(128), version=4).bytes for _ in range(instances)]
    shares = Counter(number % LIVES for number in range(instances))
    rows = _rows(lives, sorted((key, number) for number, key in enumerate(ids)))
    while some := list(islice(rows, AT_ONCE)):
        with database.transaction() as tx:
            tx.upsert(schema.INSTANCES, some)
    with database.transaction() as tx:
        for table, counts in _counts(lives, shares).items():
            tx.upsert(table, [(*key, n) for key, n in sorted(counts.items()) if n])
        # A recount looks at these days: none of their heartbeats is in the store.
        tx.execute("DELETE FROM daily WHERE day > ?", now // DAY_MS - EMPTY_DAYS)
    if database.dialect == "postgresql":
        with database.transaction() as tx:
            tx.execute("ANALYZE instances")
    return ids


def _life(chance: random.Random, source: int, now: int) -> InstanceRow:
    begin = now - chance.randrange(YEAR * DAY_MS)
    begin += APART_MS if begin % DAY_MS < APART_MS else 0  # so that all of a life begin on one day
    kind = chance.randrange(100)
    length = 3_600_000 if kind < SHORT else now - begin
    if SHORT <= kind < SHORT + SILENT:
        length = chance.randrange(length + 1)
    row = InstanceRow(source, b"", begin, begin)
    for time in range(begin, begin + length + 1, SLOT_MS):
        if chance.random() < 0.98:  # now and then one is missing
            row.beat(time)
    row.facts_at, row.version = begin, f"{chance.randrange(1, 4)}.{chance.randrange(20)}"
    row.os, row.os_version = chance.choice(
        [("debian", "12"), ("debian", "13"), ("ubuntu", "24.04"), ("rhel", "9")]
    )
    return row


def _rows(lives: list[InstanceRow], keys: list[tuple[bytes, int]]) -> Iterator[tuple[Any, ...]]:
    rows = [instance_row(life) for life in lives]
    for key, number in keys:
        source, _, first_seen, last_seen, last_beat, *rest = rows[number % LIVES]
        apart = number // LIVES % APART_MS
        last_beat = last_beat and last_beat - apart
        yield source, key, first_seen - apart, last_seen - apart, last_beat, *rest


def _counts(lives: list[InstanceRow], shares: Counter[int]) -> dict[schema.Table, Counter[Any]]:
    found: dict[schema.Table, Counter[Any]] = {
        table: Counter() for table in (schema.ACTIVE, schema.COHORTS, schema.RETENTION, schema.DAILY)
    }
    for number, life in enumerate(lives):
        ledger = Ledger()
        count_instance(ledger, life, 1)
        counted: list[Counter[Any]] = [ledger.active, ledger.cohorts, ledger.retention]
        counted.append(_beats_by_day(life))
        for total, counts in zip(found.values(), counted, strict=True):
            for key, n in counts.items():
                total[key] += n * shares[number]
    return found


def _beats_by_day(life: InstanceRow) -> Counter[tuple[int, int, str, str]]:
    days = Counter(
        life.first_day + n // SLOTS_A_DAY for n in range(life.slots.bit_length()) if life.slots >> n & 1
    )
    return Counter({(life.source, day, "track", "Instance Active"): n for day, n in days.items()})

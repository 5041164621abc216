"""Events as rows of the table `events`, and back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from secrets import randbits
from typing import Any

from collector.base.events import BEAT, Event
from collector.base.times import DAY_MS
from collector.store.beats import UUID_V7, Beat, narrow_beat, text_of, time_in
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.packing import told_by
from collector.store.clickhouse.text import Row
from collector.store.errors import StoreError
from collector.store.usage import stored_bytes
from collector.store.values import PageEnd, StoredEvent

# Partitions by the month of the time in an id. Strangers choose ids, so the number of partitions is bounded:
# one insert takes 100.
PARTITION_MS, PARTITIONS = 30 * DAY_MS, 96

# Of two rows of one event the one that came first stays: its version is greater. One whose address expired
# has the greatest.
LAST = 2**64 - 1
_LANES = 1024

_STORED = "id, seq, received, time, type, name, who, run, body, delay, skew"
# One of these stands in the body of a narrow heartbeat (`beats.py`), and in no JSON.
_MARK = "\x01"
READ_AT_ONCE = 1000


class Numbers:
    """Numbers of events: the later it arrived, the greater, and no two alike."""

    def __init__(self) -> None:
        self._last, self._lane = 0, randbits(10)

    def next(self) -> int:
        self._last = max(time.time_ns() // _LANES, self._last + 1)
        return self._last * _LANES + self._lane


def partition_of(key: bytes) -> int:
    """The partition of an event's id."""
    return 1 + time_in(key) // PARTITION_MS % PARTITIONS if key[6] >> 4 == UUID_V7 else 0


def row_of(event: Event, number: int) -> Row:
    """The row of an event. StoreError if it cannot be stored."""
    if not isinstance(event.body, str):
        raise StoreError("an event cannot be stored: it has no text")
    body, delay, skew = event.body, 0, 0
    narrow = narrow_beat(event)
    if narrow:
        _, beat, body = narrow
        delay, skew = beat.delay, beat.skew
    ids = (event.source, event.id, partition_of(event.id), LAST - number, number)
    said = (event.received, event.time, event.type, event.name, event.who, event.run, body)
    counted = (event.key, stored_bytes(event), int(event.fact is not None), delay, skew)
    fact = ("", "", "") if event.fact is None else event.fact[:3]
    environment = 0 if event.fact is None else event.fact.environment
    return (*ids, *said, *counted, *fact, *told_by(event), environment)


def stored_events(
    client: Client, source: int, keys: Iterable[bytes], where: str = "1 = 1"
) -> list[StoredEvent]:
    """The events with these ids that meet a condition, in any order. Their texts are read of them alone."""
    wanted = list(keys)
    found: list[StoredEvent] = []
    for start in range(0, len(wanted), READ_AT_ONCE):
        some = wanted[start : start + READ_AT_ONCE]
        sql = f"SELECT {_STORED} FROM events FINAL WHERE source = ? AND id IN ? AND {where}"
        found += [_stored_event(row) for row in client.rows(sql, source, some)]
    return found


def end_of(event: StoredEvent) -> PageEnd:
    """Where a list by arrival ends that ends with this event."""
    return 0, event.end[1]


def _stored_event(row: tuple[Any, ...]) -> StoredEvent:
    key, seq, received, at, kind, name, who, run, body, delay, skew = row
    if name == BEAT and _MARK in body:
        original = time_in(key) + skew
        body = text_of(Beat(key, who, received, original, original + delay), body)
    return StoredEvent((at, seq), received, at, kind, name, who, run, body)

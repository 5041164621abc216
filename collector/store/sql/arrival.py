"""Where an event goes: heartbeats of the agent into the table of their day, all others into `events`.

An id is looked for in both places, because the same event may arrive once in time and once too late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from collector.base.events import Event
from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.beats import UUID_V7, narrow_beat, time_in
from collector.store.database import Key, Row, Transaction
from collector.store.sql.days import days_among, days_query, make_days, table_of
from collector.store.sql.expired import expired_keys
from collector.store.sql.marks import ALL_MARKS, read_marks
from collector.store.sql.shapes import Shapes


class SortedEvents(NamedTuple):
    """Events with distinct keys: wide ones as they came, narrow ones by day in the order of keys."""

    wide: list[Event]
    narrow: dict[int, list[tuple[Event, Row]]]


class FreshEvents(NamedTuple):
    """Those that were not stored yet."""

    wide: list[Event]
    narrow: list[Event]


def sort_events(shapes: Shapes, events: Iterable[Event]) -> SortedEvents:
    """Decide where each event goes. Not inside a transaction: a new shape has its own."""
    distinct = {event[:2]: event for event in events}
    wide: list[Event] = []
    narrow: defaultdict[int, list[tuple[Event, Row]]] = defaultdict(list)
    for event in distinct.values():
        found = narrow_beat(event)
        shape = shapes.number_of(event.source, event.key, found[2]) if found else None
        if found is None or shape is None:
            wide.append(event)
        else:
            day, beat, _ = found
            narrow[day].append((event, (event.source, *beat, shape)))
    return SortedEvents(wide, {day: sorted(narrow[day], key=_key_in) for day in sorted(narrow)})


def _key_in(pair: tuple[Event, Row]) -> Key:
    return pair[0][:2]


def insert_events(tx: Transaction, events: SortedEvents) -> FreshEvents:
    """Store those that are not stored yet, and were not before."""
    days = _days(events)
    mark_rows, day_rows = tx.ask((ALL_MARKS,), days_query(days))
    marks = read_marks(mark_rows)
    if marks:
        events = _without(expired_keys(tx, marks, _each(events)), events)
        days = _days(events)
    make_days(tx, days - set(day_rows))
    known = _known_beats(tx, events.wide)
    stored = tx.insert_new(schema.EVENTS, [event[:-1] for event in events.wide if event[:2] not in known])
    wide = [event for event in events.wide if event[:2] in stored]
    return FreshEvents(wide, [event for day in events.narrow for event in _insert_beats(tx, day, events)])


def _days(events: SortedEvents) -> set[tuple[int, int]]:
    """The days of sources that narrow heartbeats are of."""
    return {(event.source, day) for day, pairs in events.narrow.items() for event, _ in pairs}


def _each(events: SortedEvents) -> Iterator[Event]:
    yield from events.wide
    for pairs in events.narrow.values():
        yield from (event for event, _ in pairs)


def _without(keys: set[Key], events: SortedEvents) -> SortedEvents:
    if not keys:
        return events
    kept = {day: [pair for pair in pairs if pair[0][:2] not in keys] for day, pairs in events.narrow.items()}
    wide = [event for event in events.wide if event[:2] not in keys]
    return SortedEvents(wide, {day: pairs for day, pairs in kept.items() if pairs})


def _insert_beats(tx: Transaction, day: int, events: SortedEvents) -> list[Event]:
    pairs = events.narrow[day]
    stored = tx.insert_new(table_of(day), [row for _, row in pairs], beside=schema.EVENTS)
    return [event for event, _ in pairs if event[:2] in stored]


def _known_beats(tx: Transaction, events: Iterable[Event]) -> set[Key]:
    """Those of the keys that are in the tables of their days."""
    keys: defaultdict[int, list[Key]] = defaultdict(list)
    for event in events:
        if event.id[6] >> 4 == UUID_V7:
            keys[time_in(event.id) // DAY_MS].append(event[:2])
    there = {day for _, day in days_among(tx, {(source, day) for day in keys for source, _ in keys[day]})}
    return {key for day in sorted(there) for key in tx.known(table_of(day), keys[day])}

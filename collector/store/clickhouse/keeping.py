"""How events get in: those that are new, in one insert.

Two collectors may take the same event at once. Then both count it as new, and one row of it stays.

In a cluster an insert may have failed after one replica got its rows. Then the client sends its events again.
So a row that is there is inserted again too, as it is: only an insert waits until most replicas have it.

What the rows say of their instances follows (`states.py`), also of those that are there: it may be missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from collector.base.events import BEAT, Event
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.event_rows import Numbers, row_of
from collector.store.clickhouse.past import Past, read_past
from collector.store.clickhouse.states import sightings_in
from collector.store.clickhouse.tables import EVENTS, INSTANCES
from collector.store.clickhouse.text import Row
from collector.store.clickhouse.told import these_instances
from collector.store.spans import SLOT_MS

LOOKED_UP = 1000

Key = tuple[int, bytes]
Marks = tuple[int, int]  # up to when heartbeats and other events of a source have expired


def keep_events(client: Client, numbers: Numbers, events: Iterable[Event]) -> int:
    """Store the events that are not there and were not; returns how many."""
    distinct = {event[:2]: event for event in events}
    rows = {key: row_of(event, numbers.next()) for key, event in distinct.items()}
    past = read_past(client)
    stored = _stored(client, past, distinct)
    known = stored.keys() | (_expired(client, past, distinct.values()) if past.batch else set())
    fresh = [row for key, row in rows.items() if key not in known]
    there = [tuple(row) for *row, is_kept in stored.values() if is_kept]
    client.insert(EVENTS, [*fresh, *there] if client.waits_for_replicas else fresh, acknowledged=True)
    client.insert(INSTANCES, sightings_in([*fresh, *there]), acknowledged=True, as_before=True)
    return len(fresh)


def read_marks(client: Client, past: Past) -> dict[int, Marks]:
    """Up to when what has expired, by source."""
    sql = "SELECT source, max(beats) AS b, max(events) AS e FROM cutoffs WHERE batch <= ? GROUP BY source"
    return {source: (beats, events) for source, beats, events in client.rows(sql, past.batch)}


def _stored(client: Client, past: Past, keys: Iterable[Key]) -> dict[Key, Row]:
    """The rows that are there of these keys, and whether each has not expired."""
    by_source: defaultdict[int, list[bytes]] = defaultdict(list)
    for source, key in keys:
        by_source[source].append(key)
    # Of most ids there is nothing: PREWHERE reads no other column then.
    sql = (
        f"SELECT {EVENTS.names}, {past.there} AS kept FROM events PREWHERE source = ? AND id IN ?"
        " ORDER BY ver"
    )
    found: dict[Key, Row] = {}
    for source, ids in by_source.items():
        for some in _pieces(ids):
            found.update(((row[0], row[1]), row) for row in client.rows(sql, source, some))
    return found


def _expired(client: Client, past: Past, events: Iterable[Event]) -> set[Key]:
    """Those that may have been here, and have expired since.

    A heartbeat is known by the slot of its instance: if that is set, one of these six hours was counted. All
    else is known by its time alone: what happened before the cutoff of its source may have been here.
    """
    marks = read_marks(client, past)
    gone = [event for event in events if event.time < _mark(event, marks)]
    telling = [event for event in gone if _has_slot(event, marks)]
    return {event[:2] for event in gone} - {event[:2] for event in _in_new_slots(client, past, telling)}


def _mark(event: Event, marks: dict[int, Marks]) -> int:
    return marks.get(event.source, (0, 0))[event.name != BEAT]


def _has_slot(event: Event, marks: dict[int, Marks]) -> bool:
    """Whether the instance says if its slot was counted; it may have expired itself before its own mark."""
    known = event.who is not None and event.fact is not None
    return event.name == BEAT and known and event.time >= min(marks[event.source])


def _in_new_slots(client: Client, past: Past, beats: Sequence[Event]) -> list[Event]:
    slots: dict[Key, set[int]] = {}
    for source in {beat.source for beat in beats}:
        for some in _pieces(sorted({beat.who or b"" for beat in beats if beat.source == source})):
            sql = f"SELECT instance, slot_set FROM {these_instances(past, source, some)}"
            slots.update(((source, who), set(found)) for who, found in client.rows(sql))
    return [
        beat for beat in beats if beat.time // SLOT_MS not in slots.get((beat.source, beat.who or b""), ())
    ]


def _pieces(keys: Sequence[bytes]) -> list[list[bytes]]:
    return [list(keys[start : start + LOOKED_UP]) for start in range(0, len(keys), LOOKED_UP)]

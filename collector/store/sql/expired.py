"""What comes again after it has expired. It was counted once, so it is not kept again.

A heartbeat is known by the slot of its instance: if that is set, one of these six hours was counted. All else
is known by its time alone: what happened before the cutoff of its source may have been here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from collector.base.events import BEAT, Event
from collector.store.beats import CLOCK_MS, UUID_V7, time_in
from collector.store.database import Key, Transaction
from collector.store.packed_slots import unpack_slots
from collector.store.spans import SLOT_MS, SLOTS_A_DAY
from collector.store.sql.marks import NOTHING_EXPIRED, Marks

LOOKED_UP = 200


def expired_keys(tx: Transaction, marks: dict[int, Marks], events: Iterable[Event]) -> set[Key]:
    """The keys of those events that may have been here, and have expired since."""
    newest = max(map(max, marks.values()), default=0)
    old = [(event, marks.get(event.source, NOTHING_EXPIRED)) for event in events if _made(event) < newest]
    gone = [(event, mark) for event, mark in old if _made(event) < mark.of(event.name)]
    told = [event for event, mark in gone if _has_slot(event, mark)]
    return {event[:2] for event, _ in gone} - {event[:2] for event in _in_new_slots(tx, told)}


def _made(event: Event) -> int:
    """When it happened; a narrow heartbeat expires with the day in its id, and its clock may be wrong."""
    if event.name == BEAT and event.id[6] >> 4 == UUID_V7 and abs(time_in(event.id) - event.time) <= CLOCK_MS:
        return min(event.time, time_in(event.id))
    return event.time


def _has_slot(event: Event, mark: Marks) -> bool:
    """Whether the instance says if its slot was counted; before its own mark it may have expired itself."""
    known = event.who is not None and event.fact is not None
    return event.name == BEAT and known and event.time >= mark.instances


def _in_new_slots(tx: Transaction, beats: Sequence[Event]) -> list[Event]:
    slots: dict[Key, tuple[int, int]] = {}
    keys = sorted({(beat.source, beat.who or b"") for beat in beats})
    for start in range(0, len(keys), LOOKED_UP):
        some = keys[start : start + LOOKED_UP]
        sql = "SELECT source, id, first_day, packed_slots FROM instances WHERE (source, id) IN (VALUES {})"
        values = [value for key in some for value in key]
        for source, who, first_day, bits in tx.all(sql.format(", ".join(["(?, ?)"] * len(some))), *values):
            slots[source, bytes(who)] = first_day * SLOTS_A_DAY, unpack_slots(bits)
    return [beat for beat in beats if not _is_set(beat, *slots.get((beat.source, beat.who or b""), (0, 0)))]


def _is_set(beat: Event, first: int, bits: int) -> bool:
    offset = beat.time // SLOT_MS - first
    return offset >= 0 and bool(bits >> offset & 1)

"""What waits to be counted is packed, sorted and unpacked without a loss."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from collector.base.events import BEAT, NOTHING, Event
from collector.store.rollups import Ledger
from collector.store.waiting import pack_events, sort_packed, unpack_events
from tests.collector.store.test_rollups import NOW, events


def counted(found: list[Event]) -> list[object]:
    ledger = Ledger()
    for event in found:
        ledger.count(event)
    return list(ledger.changes(ledger.words()))


@given(st.lists(events(), max_size=60))
def test_packed_events_count_as_they_did(found: list[Event]) -> None:
    assert counted(list(unpack_events(pack_events(found)))) == counted(found)


@given(st.lists(st.lists(events(), max_size=20), max_size=6), st.integers(1, 30))
def test_sorted_pieces_count_as_what_they_are_made_of(rows: list[list[Event]], size: int) -> None:
    pieces = list(sort_packed(map(pack_events, rows), size))
    unpacked = [list(unpack_events(piece)) for _, piece in pieces]
    assert [len(piece) for piece in unpacked] == [count for count, _ in pieces]
    assert all(count <= size for count, _ in pieces)
    everything = [event for piece in unpacked for event in piece]
    assert counted(everything) == counted([event for row in rows for event in row])


def test_heartbeats_of_a_piece_are_neighbours() -> None:
    chance = random.Random(0)
    beats = [
        Event(1, b"", NOW, NOW - n, "track", BEAT, chance.randbytes(16), None, "", None, NOTHING)
        for n in range(1000)
    ]
    rows = [pack_events(beats[start : start + 50]) for start in range(0, 1000, 50)]
    pieces = [list(unpack_events(piece)) for _, piece in sort_packed(rows, 300)]
    ids = [event.who or b"" for piece in pieces for event in piece]
    assert [len(piece) for piece in pieces] == [300, 300, 300, 100]
    assert ids == sorted(ids)
    assert len(b"".join(rows)) < 25 * len(beats)

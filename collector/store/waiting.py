"""What the counters need of events, packed until it is counted.

A heartbeat takes about 22 bytes: the id of its instance and its time. Of an event that only counts by its
name, the day and the name are there. Of an install's event there is everything but its id and its text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from collector.base.events import BEAT, NOTHING, Event, Fact

ID_BYTES, TIME_BYTES = 16, 8


class _Told(NamedTuple):
    """An event that is no heartbeat."""

    source: int
    time: int
    type: str
    name: str
    who: bytes | None
    run: bytes | None
    fact: Fact | None


class _Packed(msgspec.Struct, array_like=True):
    """Times of heartbeats are counted from one of them, because small numbers take fewer bytes."""

    since: int
    beats: dict[int, tuple[bytes, list[int]]]  # by source: the ids of instances in one piece, and times
    told: Sequence[_Told]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


def pack_events(events: Iterable[Event]) -> bytes:
    """What is to be counted of these events."""
    beats: dict[int, tuple[list[bytes], list[int]]] = {}
    told: list[_Told] = []
    for event in events:
        if event.name == BEAT and event.fact is not None and event.who is not None:
            ids, times = beats.setdefault(event.source, ([], []))
            ids.append(event.who)
            times.append(event.time)
        else:
            ids_told = (event.who, event.run) if event.fact is not None else (None, None)
            told.append(_Told(event.source, event.time, event.type, event.name, *ids_told, event.fact))
    return _pack(beats, told)


def unpack_events(packed: bytes) -> Iterator[Event]:
    """The events, without what is not counted."""
    found = _decode(packed)
    for source, (ids, times) in found.beats.items():
        for who, at in _beats(found.since, ids, times):
            yield Event(source, b"", at, at, "track", BEAT, who, None, "", None, NOTHING)
    for told in found.told:
        seen, ids_told = (told.time, told.time, told.type, told.name), (told.who, told.run)
        yield Event(told.source, b"", *seen, *ids_told, "", None, told.fact)


def sort_packed(rows: Iterable[bytes], size: int) -> Iterator[tuple[int, bytes]]:
    """The same events, sorted by instance, in pieces of a size: how many each has, and the piece."""
    told: list[_Told] = []
    beats: defaultdict[int, list[bytes]] = defaultdict(list)  # an id and a time are one text: it takes less
    for row in rows:
        found = _decode(row)
        told += found.told
        for source, packed in found.beats.items():
            mine = _beats(found.since, *packed)
            beats[source] += [who + at.to_bytes(TIME_BYTES, "big") for who, at in mine]
    for source in sorted(beats):
        for piece in _pieces(sorted(beats.pop(source)), size):
            ids = [beat[:ID_BYTES] for beat in piece]
            times = [int.from_bytes(beat[ID_BYTES:], "big") for beat in piece]
            yield len(piece), _pack({source: (ids, times)}, ())
    told.sort(key=lambda event: (event.source, event.who or b""))
    for events in _pieces(told, size):
        yield len(events), _pack({}, events)


def _pack(beats: dict[int, tuple[list[bytes], list[int]]], told: Sequence[_Told]) -> bytes:
    since = min((min(times) for _, times in beats.values()), default=0)
    joined = {source: (b"".join(ids), [at - since for at in times]) for source, (ids, times) in beats.items()}
    return _encode(_Packed(since, joined, told))


def _beats(since: int, ids: bytes, times: Sequence[int]) -> Iterator[tuple[bytes, int]]:
    for number, after in enumerate(times):
        yield ids[number * ID_BYTES : (number + 1) * ID_BYTES], since + after


def _pieces(found: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (found[start : start + size] for start in range(0, len(found), size))

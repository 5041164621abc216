"""A census as bytes, which a store keeps for a server that starts."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import Any

import msgspec

from collector.store.fleet import Census

# The items of its counters, in the order of their fields.
_Packed = tuple[
    list[tuple[tuple[int, bool], int]],
    list[tuple[tuple[str, bool], int]],
    list[tuple[str, int]],
    list[tuple[str, int]],
    list[tuple[int, int]],
    list[tuple[int, int]],
]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


def pack_census(census: Census) -> bytes:
    """Its counters; the time is not among them."""
    _, *counters = (getattr(census, field.name) for field in fields(census))
    return _encode([list(counter.items()) for counter in counters])


def unpack_census(at: int, packed: bytes) -> Census | None:
    """The census of a time; None if another version has packed it in another form."""
    try:
        counters: tuple[Any, ...] = _decode(packed)
    except msgspec.MsgspecError:
        return None
    return Census(at, *(Counter(dict(items)) for items in counters))

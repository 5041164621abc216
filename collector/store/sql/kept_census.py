"""The last census of a large source, kept for a server that starts: to count anew takes it seconds."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import fields

import msgspec

from collector.store.database import Database, Transaction
from collector.store.fleet import Census

_NOTE = (
    "INSERT INTO censuses (source, at, packed) VALUES (?, ?, ?) ON CONFLICT (source) DO UPDATE"
    " SET at = excluded.at, packed = excluded.packed WHERE excluded.at >= censuses.at"
)
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


def keep_census(database: Database, source: int, census: Census | None) -> None:
    """Keep a census of a source if it is newer than the one that is kept; None drops that."""
    with database.transaction() as tx:
        if census is None:
            tx.execute("DELETE FROM censuses WHERE source = ?", source)
        else:
            tx.execute(_NOTE, source, census.at, _pack(census))


def kept_censuses(database: Database) -> dict[int, Census]:
    """What is kept, by source. What another version has kept in another form is left out."""
    found: dict[int, Census] = {}
    for source, at, packed in database.all("SELECT source, at, packed FROM censuses"):
        with suppress(msgspec.MsgspecError):
            found[source] = Census(at, *(Counter(dict(items)) for items in _decode(bytes(packed))))
    return found


def drop_censuses(tx: Transaction) -> None:
    """Drop them all: they name versions and systems that may be deleted now."""
    tx.execute("DELETE FROM censuses")


def _pack(census: Census) -> bytes:
    _, *counters = (getattr(census, field.name) for field in fields(census))
    return _encode([list(counter.items()) for counter in counters])

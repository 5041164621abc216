"""Sealed support bundles: parts of ciphertext, by source and SHA-256, in the control store.

A bundle arrives in parts, each in a short transaction, so that events go on meanwhile. Only a whole one is
shown. Its bytes are read as often as somebody asks for them, a part at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from collector.base.times import DAY_MS
from collector.store.control import ControlStore
from collector.store.database import Transaction
from collector.store.retries import with_retries

# A bundle that has not come whole after this time makes way.
UNFINISHED_MS = DAY_MS
# Of one instance, so many are stored.
MOST_OF_INSTANCE = 5
# A bundle counts as so many bytes at least.
LEAST_COUNTED = 256 * 1024
# Parts that are deleted in one transaction: SQLite overwrites them with zeros.
PARTS_AT_ONCE = 16


class NoSpace(Exception):  # noqa: N818 - an outcome
    """The source, or the instance, has as many bundles as it may have. The text says which."""


@dataclass(frozen=True)
class NewBundle:
    """What its sender says of a bundle before the first part."""

    source: int
    id: bytes  # SHA-256 of the whole
    key: int
    instance: bytes
    run: bytes | None
    size: int
    thumbprint: str = ""  # of the key that opens it


@dataclass(frozen=True)
class StoredBundle:
    """A whole bundle, without its bytes."""

    source: int
    id: bytes
    instance: bytes
    run: bytes | None
    size: int
    thumbprint: str
    arrived: int


def received_bytes(control: ControlStore, source: int, bundle: bytes) -> tuple[int, bool, int | None]:
    """How much of a bundle is stored, whether that is all of it, and the size that its first part named."""
    sql = "SELECT received, arrived, size FROM bundles WHERE source = ? AND id = ?"
    for received, arrived, size in control.all(sql, source, bundle):
        return received, arrived is not None, size
    return 0, False, None


def counted_size(size: int) -> int:
    """What a bundle takes of its source's room. A least size bounds how many there are."""
    return max(size, LEAST_COUNTED)


@with_retries
def begin_bundle(control: ControlStore, new: NewBundle, room: int, now: int) -> None:
    """Reserve the size of a bundle, if it is not there yet. NoSpace if there is none left."""
    old = control.all(
        "SELECT id FROM bundles WHERE source = ? AND arrived IS NULL AND began < ?",
        new.source,
        now - UNFINISHED_MS,
    )
    for (bundle,) in old:
        delete_bundle(control, new.source, bytes(bundle))
    with control.transaction() as tx:
        tx.wait_for_turn(new.source)
        _check_space(tx, new, room)
        tx.execute(
            "INSERT INTO bundles (source, id, key, instance, run, size, thumbprint, received, began)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?) ON CONFLICT (source, id) DO NOTHING",
            *(new.source, new.id, new.key, new.instance, new.run, new.size, new.thumbprint, now),
        )


def _check_space(tx: Transaction, new: NewBundle, room: int) -> None:
    others = "FROM bundles WHERE source = ? AND id <> ?"
    counted = f"CASE WHEN size < {LEAST_COUNTED} THEN {LEAST_COUNTED} ELSE size END"
    used = tx.all(f"SELECT coalesce(SUM({counted}), 0) {others}", new.source, new.id)[0][0]
    if used + counted_size(new.size) > room:
        raise NoSpace("this source has no room for more bundles")
    own = f"SELECT COUNT(*) {others} AND instance = ?"
    if tx.all(own, new.source, new.id, new.instance)[0][0] >= MOST_OF_INSTANCE:
        raise NoSpace(f"this instance has {MOST_OF_INSTANCE} bundles already")


@with_retries
def add_part(control: ControlStore, source: int, bundle: bytes, start: int, data: bytes) -> bool:
    """Store the next part; False if it is not the next one, or would be too much."""
    with control.transaction() as tx:
        end = start + len(data)
        moved = tx.execute(
            "UPDATE bundles SET received = ? WHERE source = ? AND id = ? AND received = ? AND size >= ?"
            " AND arrived IS NULL",
            *(end, source, bundle, start, end),
        )
        if moved:
            part = "INSERT INTO bundle_parts (source, id, start, data) VALUES (?, ?, ?, ?)"
            tx.execute(part, source, bundle, start, data)
        return bool(moved)


@with_retries
def finish_bundle(control: ControlStore, source: int, bundle: bytes, now: int) -> bool:
    """Show a bundle whose last part has come; False, and nothing left of it, if its hash is another one."""
    whole = sha256()
    for part in bundle_parts(control, source, bundle):
        whole.update(part)
    if whole.digest() != bundle:
        delete_bundle(control, source, bundle)
        return False
    with control.transaction() as tx:
        sql = "UPDATE bundles SET arrived = ? WHERE source = ? AND id = ? AND received = size"
        return bool(tx.execute(sql, now, source, bundle))


def bundle_parts(control: ControlStore, source: int, bundle: bytes) -> Iterator[bytes]:
    """The bytes of a bundle, in their order."""
    where = "source = ? AND id = ? AND start > ?"
    sql = f"SELECT start, data FROM bundle_parts WHERE {where} ORDER BY start LIMIT 1"
    start = -1
    while rows := control.all(sql, source, bundle, start):
        start = rows[0][0]
        yield bytes(rows[0][1])


def stored_bundles(control: ControlStore, source: int, start: int = 0, most: int = 500) -> list[StoredBundle]:
    """The whole bundles of a source, newest first."""
    rows = control.all(
        "SELECT source, id, instance, run, size, thumbprint, arrived FROM bundles"
        " WHERE source = ? AND arrived IS NOT NULL ORDER BY arrived DESC, id LIMIT ? OFFSET ?",
        *(source, most, start),
    )
    return [_stored(row) for row in rows]


def find_bundle(control: ControlStore, source: int, bundle: bytes) -> StoredBundle | None:
    """One whole bundle of a source."""
    rows = control.all(
        "SELECT source, id, instance, run, size, thumbprint, arrived FROM bundles"
        " WHERE source = ? AND id = ? AND arrived IS NOT NULL",
        *(source, bundle),
    )
    return _stored(rows[0]) if rows else None


def _stored(row: Any) -> StoredBundle:
    source, bundle, instance, run, *rest = row
    return StoredBundle(source, bytes(bundle), bytes(instance), None if run is None else bytes(run), *rest)


def delete_of_instance(control: ControlStore, source: int, instance: bytes) -> int:
    """Delete those of an instance; how many there were."""
    return _delete(control, "source = ? AND instance = ?", source, instance)


def delete_of_key(control: ControlStore, key: int, since: int, until: int) -> int:
    """Delete those that came with a write key since one time and before another; how many there were."""
    return _delete(control, "key = ? AND began >= ? AND began < ?", key, since, until)


def delete_old(control: ControlStore, before: int) -> int:
    """Delete those that were begun before a time; how many there were."""
    return _delete(control, "began < ?", before)


def _delete(control: ControlStore, where: str, *values: Any) -> int:
    found = control.all(f"SELECT source, id FROM bundles WHERE {where}", *values)
    for source, bundle in found:
        delete_bundle(control, source, bytes(bundle))
    if found:
        control.tidy()
    return len(found)


@with_retries
def delete_bundle(control: ControlStore, source: int, bundle: bytes) -> None:
    """Delete a bundle: it takes no more parts, then its parts go, and last its own row."""
    with control.transaction() as tx:
        tx.execute(
            "UPDATE bundles SET received = size, arrived = NULL WHERE source = ? AND id = ?", source, bundle
        )
    key = "source = ? AND id = ?"
    some = f"SELECT start FROM bundle_parts WHERE {key} ORDER BY start LIMIT {PARTS_AT_ONCE}"
    while starts := control.all(some, source, bundle):
        with control.transaction() as tx:
            sql = f"DELETE FROM bundle_parts WHERE {key} AND start <= ?"
            tx.execute(sql, source, bundle, starts[-1][0])
    with control.transaction() as tx:
        tx.execute(f"DELETE FROM bundles WHERE {key}", source, bundle)

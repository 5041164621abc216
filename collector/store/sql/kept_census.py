"""The last census of a large source, kept for a server that starts: to count anew takes it seconds."""

from __future__ import annotations

from collector.store.database import Database, Transaction
from collector.store.fleet import Census
from collector.store.packed_census import pack_census, unpack_census

_NOTE = (
    "INSERT INTO censuses (source, at, packed) VALUES (?, ?, ?) ON CONFLICT (source) DO UPDATE"
    " SET at = excluded.at, packed = excluded.packed WHERE excluded.at >= censuses.at"
)


def keep_census(database: Database, source: int, census: Census | None) -> None:
    """Keep a census of a source if it is newer than the one that is kept; None drops that."""
    with database.transaction() as tx:
        if census is None:
            tx.execute("DELETE FROM censuses WHERE source = ?", source)
        else:
            tx.execute(_NOTE, source, census.at, pack_census(census))


def kept_censuses(database: Database) -> dict[int, Census]:
    """What is kept, by source. What another version has kept in another form is left out."""
    found: dict[int, Census] = {}
    for source, at, packed in database.all("SELECT source, at, packed FROM censuses"):
        if census := unpack_census(at, bytes(packed)):
            found[source] = census
    return found


def drop_censuses(tx: Transaction) -> None:
    """Drop them all: they name versions and systems that may be deleted now."""
    tx.execute("DELETE FROM censuses")

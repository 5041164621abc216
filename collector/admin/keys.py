"""Sources and their write keys: shown once, kept as a digest."""

from __future__ import annotations

import secrets

from collector.ingest.keyring import digest
from collector.store import Store
from collector.store.base import Transaction

# A key is 192 random bits, so a plain digest of it cannot be guessed back.
KEY_BYTES = 24
HINT = 6


def add_key(store: Store, name: str, now: int) -> str:
    """A new key for the source of that name, which is made if need be."""
    key = _new_key()
    with store.transaction() as tx:
        source = source_named(tx, name, now)
        tx.execute(
            "INSERT INTO write_keys (source, hash, hint, created) VALUES (?, ?, ?, ?)",
            source,
            digest(key),
            key[:HINT],
            now,
        )
    return key


def _new_key() -> str:
    """One that no command line takes for an option."""
    while (key := secrets.token_urlsafe(KEY_BYTES)).startswith("-"):
        pass
    return key


def source_named(tx: Transaction, name: str, now: int) -> int:
    """The number of a source, which is made if need be."""
    tx.execute("INSERT INTO sources (name, created) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, now)
    number: int = tx.all("SELECT id FROM sources WHERE name = ?", name)[0][0]
    return number


def make_source(store: Store, name: str, now: int) -> tuple[int, bool]:
    """The number of a source, and whether it had to be made."""
    with store.transaction() as tx:
        made = not tx.all("SELECT 1 FROM sources WHERE name = ?", name)
        return source_named(tx, name, now), made


def drop_unused_source(store: Store, source: int) -> bool:
    """Take away a source that has neither a key nor an event; whether it was one."""
    with store.transaction() as tx:
        return bool(
            tx.execute(
                "DELETE FROM sources WHERE id = ?"
                " AND NOT EXISTS (SELECT 1 FROM write_keys WHERE source = sources.id)"
                " AND NOT EXISTS (SELECT 1 FROM events WHERE source = sources.id)",
                source,
            )
        )


def list_keys(store: Store) -> list[tuple[int, str, str, int, int | None]]:
    """Number, source, first characters, and when each key was made and revoked."""
    return [
        (number, source, hint, created, revoked)
        for number, source, hint, created, revoked in store.all(
            "SELECT k.id, s.name, k.hint, k.created, k.revoked"
            " FROM write_keys k JOIN sources s ON s.id = k.source ORDER BY k.id",
        )
    ]


def revoke_keys(store: Store, which: str, now: int) -> int:
    """Revoke the key that `which` is, begins with, or is the number of; how many there were."""
    with store.transaction() as tx:
        sql = "UPDATE write_keys SET revoked = ? WHERE revoked IS NULL AND "
        if which.isdigit() and len(which) < HINT:
            return tx.execute(sql + "id = ?", now, int(which))
        if len(which) == HINT:
            return tx.execute(sql + "hint = ?", now, which)
        return tx.execute(sql + "hash = ?", now, digest(which))

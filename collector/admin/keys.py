"""Sources and their write keys. A key is shown once; only its digest is stored."""

from __future__ import annotations

import secrets

from collector.admin import AdminError
from collector.admin.audit import COMMAND_LINE, record
from collector.ingest.keyring import digest
from collector.store import Store
from collector.store.base import Row, Transaction

# A key is 192 random bits, so a plain digest of it cannot be guessed back.
KEY_BYTES = 24
HINT = 6


def add_key(store: Store, name: str, now: int, *, by: str = COMMAND_LINE) -> str:
    """A new key for a source, which is created if it does not exist."""
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
        record(tx, now, by, "added key", f"{name} ({key[:HINT]}…)")
    return key


def _new_key() -> str:
    """A key that does not start like a command-line option."""
    while (key := secrets.token_urlsafe(KEY_BYTES)).startswith("-"):
        pass
    return key


def source_named(tx: Transaction, name: str, now: int) -> int:
    """The number of a source, which is created if it does not exist."""
    tx.execute("INSERT INTO sources (name, created) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, now)
    number: int = tx.all("SELECT id FROM sources WHERE name = ?", name)[0][0]
    return number


def find_source(tx: Transaction, name: str) -> int:
    """The number of a source. AdminError if it does not exist."""
    rows = tx.all("SELECT id FROM sources WHERE name = ?", name)
    if not rows:
        raise AdminError(f"no source has the name {name!r}; `rollcall-collector keys list` shows them")
    number: int = rows[0][0]
    return number


def make_source(store: Store, name: str, now: int) -> tuple[int, bool]:
    """The number of a source, and whether it was created now."""
    with store.transaction() as tx:
        made = not tx.all("SELECT 1 FROM sources WHERE name = ?", name)
        return source_named(tx, name, now), made


def drop_unused_source(store: Store, source: int) -> bool:
    """Delete a source if it has no key and no event; returns whether it was deleted."""
    with store.transaction() as tx:
        return bool(
            tx.execute(
                "DELETE FROM sources WHERE id = ?"
                " AND NOT EXISTS (SELECT 1 FROM write_keys WHERE source = sources.id)"
                " AND NOT EXISTS (SELECT 1 FROM events WHERE source = sources.id)",
                source,
            )
        )


def list_keys(store: Store) -> list[Row]:
    """Number, source, first characters, and creation and revocation time of each key."""
    return store.all(
        "SELECT k.id, s.name, k.hint, k.created, k.revoked"
        " FROM write_keys k JOIN sources s ON s.id = k.source ORDER BY k.id"
    )


def revoke_key(store: Store, which: str, now: int, *, by: str = COMMAND_LINE) -> None:
    """Revoke a key by its number, its first characters or all of it. AdminError if none is valid."""
    value: object = digest(which)
    column = "hash"
    if which.isascii() and which.isdigit() and len(which) < HINT:
        column, value = "id", int(which)
    elif len(which) == HINT:
        column, value = "hint", which
    with store.transaction() as tx:
        found = tx.all(f"SELECT hint FROM write_keys WHERE revoked IS NULL AND {column} = ?", value)
        if not found:
            raise AdminError("no valid key matches; see `rollcall-collector keys list`")
        tx.execute(f"UPDATE write_keys SET revoked = ? WHERE revoked IS NULL AND {column} = ?", now, value)
        record(tx, now, by, "revoked key", f"{found[0][0]}…")

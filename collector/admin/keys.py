"""Sources and their write keys. A key is shown once; only its digest is stored."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from collector.admin import AdminError
from collector.admin.audit import COMMAND_LINE, record
from collector.admin.names import check_name
from collector.base.times import DAY_MS
from collector.ingest.keyring import digest
from collector.store import ControlStore, Stores
from collector.store.database import Transaction
from collector.store.retries import with_retries
from collector.store.usage import DAY_HOURS

# A key is 192 random bits, so a plain digest of it cannot be guessed back.
KEY_BYTES = 24
HINT = 6


@with_retries
def add_key(control: ControlStore, name: str, now: int, *, by: str = COMMAND_LINE) -> str:
    """A new key for a source, which is created if it does not exist. AdminError if it cannot be."""
    key = _new_key()
    with control.transaction() as tx:
        if not tx.all("SELECT 1 FROM sources WHERE name = ?", name):
            check_name(name)
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


def list_sources(control: ControlStore) -> list[tuple[int, str]]:
    """The number and the name of every source."""
    return [(number, name) for number, name in control.all("SELECT id, name FROM sources ORDER BY name")]


def find_source(tx: Transaction, name: str) -> int:
    """The number of a source. AdminError if it does not exist."""
    rows = tx.all("SELECT id FROM sources WHERE name = ?", name)
    if not rows:
        raise AdminError(f"no source has the name {name!r}; `rollcall-collector keys list` shows them")
    number: int = rows[0][0]
    return number


def name_sources(control: ControlStore) -> dict[int, str]:
    """The name of every source, by its number."""
    return dict(control.all("SELECT id, name FROM sources"))


@with_retries
def make_source(control: ControlStore, name: str, now: int) -> tuple[int, bool]:
    """The number of a source, and whether it was created now."""
    with control.transaction() as tx:
        made = not tx.all("SELECT 1 FROM sources WHERE name = ?", name)
        return source_named(tx, name, now), made


@with_retries
def drop_unused_source(stores: Stores, source: int) -> bool:
    """Delete a source if it has no key and no event; returns whether it was deleted."""
    if stores.events.sources_heard([source]):
        return False
    with stores.control.transaction() as tx:
        unused = "NOT EXISTS (SELECT 1 FROM write_keys WHERE source = sources.id)"
        return bool(tx.execute(f"DELETE FROM sources WHERE id = ? AND {unused}", source))


def any_key(control: ControlStore) -> bool:
    """Whether any key was ever made."""
    return bool(control.all("SELECT 1 FROM write_keys LIMIT 1"))


class KeyStatus(NamedTuple):
    """One key: its own limits, or None where the settings hold, and what it added today (UTC)."""

    id: int
    source: str
    hint: str
    created: int
    revoked: int | None
    rate: float | None
    daily: int | None
    events: int
    bytes: int


class FoundKey(NamedTuple):
    """A key's number and its first characters."""

    id: int
    hint: str


def list_keys(stores: Stores, now: int) -> list[KeyStatus]:
    """Every key, in the order in which they were made."""
    sql = (
        "SELECT k.id, s.name, k.hint, k.created, k.revoked, k.rate, k.daily"
        " FROM write_keys k JOIN sources s ON s.id = k.source ORDER BY k.id"
    )
    events, sizes = Counter[int](), Counter[int]()
    for used in stores.events.usage_since(now // DAY_MS * DAY_HOURS):
        events[used.key] += used.events
        sizes[used.key] += used.bytes
    return [KeyStatus._make((*row, events[row[0]], sizes[row[0]])) for row in stores.control.all(sql)]


@with_retries
def revoke_key(control: ControlStore, which: str, now: int, *, by: str = COMMAND_LINE) -> None:
    """Revoke a key by its number, its first characters or all of it. AdminError if none is valid."""
    with control.transaction() as tx:
        hint = _change(tx, which, {"revoked": now})
        record(tx, now, by, "revoked key", f"{hint}…")


@with_retries
def limit_key(
    control: ControlStore, which: str, limits: Mapping[str, float | None], now: int, *, by: str = COMMAND_LINE
) -> None:
    """Set `rate` and `daily` of a key; None means that the setting holds. AdminError if none is valid."""
    with control.transaction() as tx:
        hint = _change(tx, which, limits)
        record(tx, now, by, "limited key", f"{hint}…")


def find_key(control: ControlStore, which: str) -> FoundKey:
    """A key, valid or revoked. AdminError if none matches, or several."""
    where, value = _matching(which)
    rows = control.all(f"SELECT id, hint FROM write_keys WHERE {where}", value)
    if len(rows) != 1:
        raise AdminError(f"{len(rows) or 'no'} keys match; see `rollcall-collector keys list`")
    return FoundKey(*rows[0])


def _change(tx: Transaction, which: str, columns: Mapping[str, float | None]) -> str:
    """Change a valid key; its first characters. AdminError if none matches."""
    where, value = _matching(which)
    found = tx.all(f"SELECT hint FROM write_keys WHERE revoked IS NULL AND {where}", value)
    if not found:
        raise AdminError("no valid key matches; see `rollcall-collector keys list`")
    changes = ", ".join(f"{name} = ?" for name in columns)
    sql = f"UPDATE write_keys SET {changes} WHERE revoked IS NULL AND {where}"
    tx.execute(sql, *columns.values(), value)
    hint: str = found[0][0]
    return hint


def _matching(which: str) -> tuple[str, object]:
    """The condition for a key by its number, its first characters or all of it."""
    if which.isascii() and which.isdigit() and len(which) < HINT:
        return "id = ?", int(which)
    return ("hint = ?", which) if len(which) == HINT else ("hash = ?", digest(which))

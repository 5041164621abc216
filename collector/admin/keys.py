"""Sources and their write keys: shown once, kept as a digest."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from hashlib import sha256

from collector.store import Store, StoreUnavailable
from collector.store.base import Transaction

# A key is 192 random bits, so a plain digest of it cannot be guessed back.
KEY_BYTES = 24
HINT = 6
# How soon a key that was added or revoked by another process is noticed.
REFRESH_SECONDS = 5.0
# Unknown keys make the server look again, together, and at most this often.
LOOK_AGAIN_SECONDS = 0.25


def digest(key: str) -> bytes:
    """What is kept of a key."""
    return sha256(key.encode("utf-8", "replace")).digest()


def add_key(store: Store, name: str, now: int) -> str:
    """A new key for the source of that name, which is made if need be."""
    key = _new_key()
    with store.transaction() as tx:
        source = source_named(tx, name, now)
        tx.run(
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
    tx.run("INSERT INTO sources (name, created) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, now)
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
            tx.run(
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
            return tx.run(sql + "id = ?", now, int(which))
        if len(which) == HINT:
            return tx.run(sql + "hint = ?", now, which)
        return tx.run(sql + "hash = ?", now, digest(which))


class KeyRing:
    """The keys that are valid now, in memory."""

    def __init__(self, store: Store, clock: Callable[[], float], timeout: float) -> None:
        self._store, self._timeout = store, timeout
        self._clock = clock
        self._sources: dict[bytes, int] = {}
        self._names: dict[int, str] = {}
        self._at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def source(self, key: str) -> int | None:
        """The source of a key, or None; StoreUnavailable where nobody can tell."""
        hashed = digest(key)
        if self._clock() - self._at > REFRESH_SECONDS or hashed not in self._sources:
            await self._look_again()
        return self._sources.get(hashed)

    def name(self, source: int) -> str:
        """The name of a source."""
        return self._names.get(source, str(source))

    async def _look_again(self) -> None:
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._refresh())
            self._looking.add_done_callback(self._looked)
        try:
            await asyncio.wait_for(asyncio.shield(self._looking), self._timeout)
        except asyncio.TimeoutError:
            msg = "the store takes too long"
            raise StoreUnavailable(msg) from None

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None
        if not task.cancelled():
            task.exception()  # told to whoever waits; nobody may

    async def _refresh(self) -> None:
        await asyncio.sleep(max(0.0, self._at + LOOK_AGAIN_SECONDS - self._clock()))
        rows = await asyncio.to_thread(
            self._store.all,
            "SELECT k.hash, s.id, s.name"
            " FROM write_keys k JOIN sources s ON s.id = k.source WHERE k.revoked IS NULL",
        )
        self._sources = {bytes(hashed): source for hashed, source, _ in rows}
        self._names = {source: name for _, source, name in rows}
        self._at = self._clock()

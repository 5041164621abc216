"""Which write keys are valid, looked up while serving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256

from collector.store import Store, StoreUnavailable

# How soon a key that was added or revoked by another process is noticed.
REFRESH_SECONDS = 5.0
# Unknown keys make the server look again, together, and at most this often.
LOOK_AGAIN_SECONDS = 0.25


def digest(key: str) -> bytes:
    """What is kept of a key."""
    return sha256(key.encode("utf-8", "replace")).digest()


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

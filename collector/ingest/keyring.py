"""Which write keys are valid, looked up while serving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256

from collector.store import Store, StoreUnavailable

# Within this time, a key that another process added or revoked is noticed.
REFRESH_SECONDS = 5.0
# An unknown key makes the server read the keys again, at most this often.
LOOK_AGAIN_SECONDS = 0.25


def digest(key: str) -> bytes:
    """The digest that is stored for a key."""
    return sha256(key.encode("utf-8", "replace")).digest()


class KeyRing:
    """The valid keys, in memory."""

    def __init__(self, store: Store, clock: Callable[[], float], timeout: float) -> None:
        self._store, self._timeout = store, timeout
        self._clock = clock
        self._sources: dict[bytes, int] = {}
        self._names: dict[int, str] = {}
        self._at = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    async def source(self, key: str) -> int | None:
        """The source of a key, or None. StoreUnavailable if the store does not answer."""
        hashed = digest(key)
        if self._clock() - self._at > REFRESH_SECONDS or hashed not in self._sources:
            await self._reload()
        return self._sources.get(hashed)

    def name(self, source: int) -> str:
        return self._names.get(source, str(source))

    async def _reload(self) -> None:
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._refresh())
            self._loading.add_done_callback(self._loaded)
        try:
            await asyncio.wait_for(asyncio.shield(self._loading), self._timeout)
        except asyncio.TimeoutError:
            raise StoreUnavailable("the store did not answer in time") from None

    def _loaded(self, task: asyncio.Task[None]) -> None:
        self._loading = None
        if not task.cancelled():
            task.exception()  # read, so that asyncio does not complain if nobody waits for it

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

"""Which write keys are valid, looked up while serving."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from collector.store import Stores, StoreUnavailable
from collector.store.usage import DAY_HOURS, HOUR_MS

# Within this time, a key that another process added or revoked is noticed.
REFRESH_SECONDS = 5.0
# An unknown key makes the server read the keys again, at most this often.
LOOK_AGAIN_SECONDS = 0.25
# What the keys have added is not counted again for so many times as long as that took: some stores search
# through all events for it.
REST_TIMES = 4


def digest(key: str) -> bytes:
    """The digest that is stored for a key."""
    return sha256(key.encode("utf-8", "replace")).digest()


@dataclass(frozen=True)
class WriteKey:
    """A valid key, its own limits if it has any, and the bytes that it added in each of the last hours."""

    id: int
    source: int
    name: str  # of the source
    rate: float | None
    daily: int | None
    used: Mapping[int, int]


class KeyRing:
    """The valid keys, in memory.

    `changed` is told of them whenever they are read, and whether what they have added was counted anew. An
    unknown key, which anybody may send, has nothing counted.
    """

    def __init__(
        self,
        stores: Stores,
        clock: Callable[[], float],
        timeout: float,
        *,
        changed: Callable[[Iterable[WriteKey], bool], None] = lambda *_: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._stores, self._timeout = stores, timeout
        self._clock, self._now, self._changed = clock, now, changed
        self._keys: dict[bytes, WriteKey] = {}
        self._at = self._count_due = float("-inf")
        self._used: Mapping[int, Mapping[int, int]] = {}
        self._loading: asyncio.Task[None] | None = None

    async def find(self, key: str) -> WriteKey | None:
        """The key that was sent, or None. StoreUnavailable if the store does not answer."""
        hashed, now = digest(key), self._clock()
        if now - self._at > REFRESH_SECONDS or now > self._count_due or hashed not in self._keys:
            await self._reload()
        return self._keys.get(hashed)

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
        counted = self._clock() > self._count_due
        if counted:
            await asyncio.to_thread(self._count)
        self._keys = await asyncio.to_thread(self._read)
        self._at = self._clock()
        self._changed(self._keys.values(), counted)

    def _count(self) -> None:
        """Count what each key has added."""
        began = self._clock()
        since = int(self._now() * 1000) // HOUR_MS - 2 * DAY_HOURS
        used: defaultdict[int, dict[int, int]] = defaultdict(dict)
        for added in self._stores.events.usage_since(since):
            used[added.key][added.hour] = added.bytes
        ended = self._clock()
        self._used, self._count_due = used, ended + max(REFRESH_SECONDS, REST_TIMES * (ended - began))

    def _read(self) -> dict[bytes, WriteKey]:
        rows = self._stores.control.all(
            "SELECT k.hash, k.id, s.id, s.name, k.rate, k.daily"
            " FROM write_keys k JOIN sources s ON s.id = k.source WHERE k.revoked IS NULL",
        )
        return {
            bytes(hashed): WriteKey(number, source, name, rate, daily, self._used.get(number, {}))
            for hashed, number, source, name, rate, daily in rows
        }

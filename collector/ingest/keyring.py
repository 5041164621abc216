"""Which write keys are valid, looked up while serving."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from collector.store import StoreError, Stores, StoreUnavailable
from collector.store.usage import DAY_HOURS, HOUR_MS

logger = logging.getLogger("rollcall.collector")

# Within this time, a key that another process added or revoked is noticed.
REFRESH_SECONDS = 5.0
# An unknown key makes the server read the keys again, at most this often.
LOOK_AGAIN_SECONDS = 0.25
# What the keys have added is not counted again for so many times as long as that took: some stores search
# through all events for it.
REST_TIMES = 4

# The bytes that each key has added, by hour.
Used = Mapping[int, Mapping[int, int]]


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

    `changed` is told of them whenever they are read or counted, and whether what they have added was counted
    anew; `counting` is told when such a count begins. Only the first one is waited for. An unknown key, which
    anybody may send, has nothing counted.
    """

    def __init__(
        self,
        stores: Stores,
        clock: Callable[[], float],
        timeout: float,
        *,
        changed: Callable[[Iterable[WriteKey], bool], None] = lambda *_: None,
        counting: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._stores, self._timeout = stores, timeout
        self._clock, self._now, self._changed, self._counting = clock, now, changed, counting
        self._keys: dict[bytes, WriteKey] = {}
        self._at = self._count_due = float("-inf")
        self._used: Used | None = None  # nothing was counted yet
        self._loading: asyncio.Task[None] | None = None
        self._count: asyncio.Task[None] | None = None
        self._failed = False

    async def find(self, key: str) -> WriteKey | None:
        """The key that was sent, or None. StoreUnavailable if the store does not answer."""
        hashed = digest(key)
        if self._clock() - self._at > REFRESH_SECONDS or hashed not in self._keys:
            await self._reload()
        found = self._keys.get(hashed)
        if found is not None and self._count is None and self._clock() > self._count_due:
            self._count = asyncio.ensure_future(self._count_again())
        return found

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
        first = self._used is None
        if first:
            await self._count_used()
        keys = await asyncio.to_thread(self._read)
        self._at = self._clock()
        self._take(keys, counted=first)

    async def _count_again(self) -> None:
        """Count while keys go on being found. If that fails, what was counted before holds."""
        try:
            await self._count_used()
        except Exception as error:  # noqa: BLE001 - keys must go on
            self._count_due = self._clock() + REFRESH_SECONDS
            self._tell_failure(error)
        else:
            self._failed = False
            self._take(self._keys, counted=True)
        finally:
            self._count = None

    async def _count_used(self) -> None:
        """Count what each key has added."""
        began = self._clock()
        self._counting()
        self._used = await asyncio.to_thread(self._usage)
        ended = self._clock()
        self._count_due = ended + max(REFRESH_SECONDS, REST_TIMES * (ended - began))

    def _usage(self) -> Used:
        since = int(self._now() * 1000) // HOUR_MS - 2 * DAY_HOURS
        used: defaultdict[int, dict[int, int]] = defaultdict(dict)
        for added in self._stores.events.usage_since(since):
            used[added.key][added.hour] = added.bytes
        return used

    def _tell_failure(self, error: Exception) -> None:
        if not self._failed:
            told = error if isinstance(error, StoreError) else type(error).__name__
            logger.warning("what the write keys have added was not counted: %s", told)
        self._failed = True

    def _read(self) -> dict[bytes, WriteKey]:
        rows = self._stores.control.all(
            "SELECT k.hash, k.id, s.id, s.name, k.rate, k.daily"
            " FROM write_keys k JOIN sources s ON s.id = k.source WHERE k.revoked IS NULL",
        )
        return {
            bytes(hashed): WriteKey(number, source, name, rate, daily, {})
            for hashed, number, source, name, rate, daily in rows
        }

    def _take(self, keys: Mapping[bytes, WriteKey], *, counted: bool) -> None:
        """Find these keys from now on, with what each has added by the last count."""
        used = self._used or {}
        self._keys = {hashed: replace(key, used=used.get(key.id, {})) for hashed, key in keys.items()}
        self._changed(self._keys.values(), counted)

"""Limits for clients: events per second (token buckets) and memory."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from collector.base.http import Refused

Key = TypeVar("Key")

# A bucket holds this many seconds of its rate, so that a client that was offline can catch up.
BURST_SECONDS = 2.0
MAX_BUCKETS = 20_000
# When to try again if memory is full or the store does not answer.
RETRY_SECONDS = 5


class TokenBuckets(Generic[Key]):
    """One token bucket per key.

    A request may start while its bucket is not empty. It pays for its events afterwards and may go
    into debt, so that a batch larger than the bucket is not refused for ever.
    """

    def __init__(self, rate: float, clock: Callable[[], float], *, most: int = MAX_BUCKETS) -> None:
        self.rate = rate
        self.capacity = max(rate * BURST_SECONDS, 1.0)
        self._clock = clock
        self._most = most
        self._levels: OrderedDict[Key, tuple[float, float]] = OrderedDict()

    def wait(self, key: Key) -> float:
        """Seconds until the key may send; 0 means now."""
        if not self.rate:
            return 0.0
        level = self._level(key)
        return 0.0 if level >= 1.0 else (1.0 - level) / self.rate

    def pay(self, key: Key, tokens: float) -> None:
        """Take tokens from the key's bucket; the bucket that was used least recently is dropped."""
        if not self.rate:
            return
        self._levels[key] = (self._level(key) - tokens, self._clock())
        self._levels.move_to_end(key)
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)

    def _level(self, key: Key) -> float:
        level, at = self._levels.get(key, (self.capacity, 0.0))
        return min(self.capacity, level + (self._clock() - at) * self.rate)


class MemoryBudget:
    """Bytes that all requests together may hold in memory; one peer may hold half of them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0
        self.peers: Counter[str] = Counter()


class HeldMemory:
    """The part of the budget that one request holds, until it ends or passes it on."""

    def __init__(self, budget: MemoryBudget, peer: str) -> None:
        self._budget, self._peer = budget, peer
        self._bytes = 0

    def take(self, count: int) -> None:
        """Hold more bytes. Refused if there is no room now."""
        budget, peers = self._budget, self._budget.peers
        if budget.used + count > budget.size or peers[self._peer] + count > budget.size // 2:
            raise Refused(503, "busy", "the server is busy; try again later", RETRY_SECONDS)
        budget.used += count
        peers[self._peer] += count
        self._bytes += count

    def give(self, count: int) -> None:
        budget, peers = self._budget, self._budget.peers
        budget.used -= count
        peers[self._peer] -= count
        if not peers[self._peer]:
            del peers[self._peer]
        self._bytes -= count

    def give_all(self) -> None:
        self.give(self._bytes)

    def hand_over(self) -> Callable[[], None]:
        """Pass on what is held; calling the result gives it back."""
        heir = HeldMemory(self._budget, self._peer)
        heir._bytes, self._bytes = self._bytes, 0
        return heir.give_all

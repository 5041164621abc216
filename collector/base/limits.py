"""Limits for clients: events per second, in token buckets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

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

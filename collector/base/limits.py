"""Limits for clients: token buckets. Several processes may share what a client has."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

Key = TypeVar("Key")

MAX_BUCKETS = 20_000
# When to try again if memory is full or the store does not answer.
RETRY_SECONDS = 5


class Others(Protocol):
    """The other processes in which the same client may pay."""

    def add(self, amount: float) -> None:
        """Tell them what was paid here."""

    def news(self) -> float:
        """What was paid there since the last time."""


class Nobody:
    """There is no other process."""

    def add(self, amount: float) -> None:
        """Nobody is told."""

    def news(self) -> float:
        return 0.0


NOBODY = Nobody()


class TokenBucket:
    """Tokens that come back at a rate; a rate of 0 means no limit.

    A request may start while the bucket is not empty. It pays afterwards and may go into debt, so that a
    request larger than the bucket is not refused for ever.
    """

    __slots__ = ("_at", "_clock", "_level", "_others", "capacity", "rate")

    def __init__(
        self, rate: float, capacity: float, clock: Callable[[], float], others: Others = NOBODY
    ) -> None:
        self.rate, self.capacity, self._clock = rate, max(capacity, 1.0), clock
        self._others = others
        self._level, self._at = self.capacity, clock()

    @property
    def level(self) -> float:
        return min(self.capacity, self._level + (self._clock() - self._at) * self.rate)

    @level.setter
    def level(self, tokens: float) -> None:
        self._level, self._at = min(self.capacity, tokens), self._clock()

    def wait(self) -> float:
        """Seconds until a request may start; 0 means now."""
        if not self.rate:
            return 0.0
        if paid := self._others.news():
            self.level -= paid
        level = self.level
        return 0.0 if level >= 1.0 else (1.0 - level) / self.rate

    def pay(self, tokens: float) -> None:
        if self.rate:
            self.level -= tokens
            self._others.add(tokens)


class TokenBuckets(Generic[Key]):
    """One token bucket per key; the one that was used least recently makes way for a new one."""

    def __init__(
        self,
        rate: float,
        capacity: float,
        clock: Callable[[], float],
        *,
        most: int = MAX_BUCKETS,
        others: Callable[[Key], Others] = lambda _: NOBODY,
    ) -> None:
        self.rate, self.capacity = rate, capacity
        self._clock, self._others = clock, others
        self._most = most
        self._buckets: OrderedDict[Key, TokenBucket] = OrderedDict()

    def wait(self, key: Key) -> float:
        """Seconds until the key may send; 0 means now."""
        bucket = self._buckets.get(key)
        return 0.0 if bucket is None else bucket.wait()

    def pay(self, key: Key, tokens: float) -> None:
        """Take tokens from the key's bucket."""
        if not self.rate:
            return
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(
                self.rate, self.capacity, self._clock, self._others(key)
            )
        bucket.pay(tokens)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)

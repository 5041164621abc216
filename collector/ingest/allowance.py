"""How much a peer and a write key may send: events and bytes a second, and bytes a day.

And how long the server may search for what a peer wants to be forgotten.

What a key has added is counted in the store, with the events themselves. So a restart forgets nothing, and
collectors on one PostgreSQL know of each other when they read the keys again. Peers are counted in memory.
Rates hold for all workers of a server together: each is told at once what was paid at the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from collector.base.events import Event
from collector.base.http import Refused
from collector.base.limits import NOBODY, Others, TokenBucket, TokenBuckets
from collector.ingest.keyring import WriteKey
from collector.settings import Settings
from collector.store.usage import HOUR_MS, bytes_left, stored_bytes

logger = logging.getLogger("rollcall.collector")

# A bucket holds this many seconds of its rate, so that a client that was offline can catch up.
BURST_SECONDS = 10
DAY_SECONDS = 86_400
# One peer may use this share of a key's bytes of a day, so one stranger leaves the rest to the others.
PEER_SHARE = 1 / 4
LONGEST_WAIT = 3600
# One peer may have so many seconds of search at once, and then this share of the time.
SEARCH_SECONDS, SEARCH_SHARE = 10.0, 1 / 4

Clock = Callable[[], float]
# The other workers, for what is paid under a name.
OthersFor = Callable[[Hashable], Others]


class KeyBuckets:
    """What one key may still send.

    The store may not have counted `pending`, bytes that are being written, nor `since`, those that were
    written since its last count began.
    """

    def __init__(self, key: int, rate: float, daily: float, clock: Clock, others: OthersFor) -> None:
        self.limits = (rate, daily)
        # Half of a day's bytes may come at once, the other half comes back over the day.
        burst, refill = daily / 2, daily / 2 / DAY_SECONDS
        self.rate = TokenBucket(rate, rate * BURST_SECONDS, clock, others(("key", key)))
        self.daily = TokenBucket(refill, burst, clock)
        self.peers: TokenBuckets[str] = TokenBuckets(
            refill * PEER_SHARE, burst * PEER_SHARE, clock, others=lambda peer: others((key, peer))
        )
        self.pending = self.since = 0
        self.told = 0


class Allowance:
    """The limits of one server. All of it is called in its event loop."""

    def __init__(
        self, settings: Settings, now: Clock, clock: Clock, others: OthersFor = lambda _: NOBODY
    ) -> None:
        self._settings, self._now, self._clock, self._others = settings, now, clock, others
        self._peers: TokenBuckets[str] = TokenBuckets(
            settings.peer_rate,
            settings.peer_rate * BURST_SECONDS,
            clock,
            others=lambda peer: others(("peer", peer)),
        )
        self._searches: TokenBuckets[str] = TokenBuckets(
            SEARCH_SHARE if settings.peer_rate else 0,
            SEARCH_SECONDS,
            clock,
            others=lambda peer: others(("search", peer)),
        )
        self._keys: dict[int, KeyBuckets] = {}

    def begin_count(self) -> None:
        """The store begins to count what each key has used. It may miss what is written from now on."""
        for buckets in self._keys.values():
            buckets.since = 0

    def update(self, keys: Iterable[WriteKey], counted: bool = True) -> None:  # noqa: FBT001, FBT002
        """Take the limits of the keys, and what each has used, if that was counted anew in the store."""
        before, self._keys = self._keys, {}
        for key in keys:
            rate = self._settings.rate if key.rate is None else key.rate
            daily = self._settings.daily if key.daily is None else key.daily
            buckets = before.get(key.id)
            changed = buckets is None or buckets.limits != (rate, daily)
            if buckets is None or changed:
                since = buckets.since + buckets.pending if buckets else 0
                buckets = self._new_buckets(key.id, rate, daily)
                buckets.since = since
            if changed or counted:
                left = bytes_left(key.used, int(self._now() * 1000), daily)
                buckets.daily.level = left - buckets.pending - buckets.since
            self._keys[key.id] = buckets

    def check_peer(self, peer: str) -> None:
        """Refused if the peer must wait."""
        _refuse(self._peers.wait(peer), "rate_limited", "too many events; try again later")

    def check_key(self, key: WriteKey, peer: str) -> None:
        """Refused if the key must wait, or this peer with it."""
        buckets = self._buckets(key)
        _refuse(buckets.rate.wait(), "rate_limited", "too many events; try again later")
        wait = buckets.daily.wait()
        if wait:
            self._tell(key, buckets)
        _refuse(max(wait, buckets.peers.wait(peer)), "quota", "too many bytes today; try again later")

    def pay(self, key: WriteKey | None, peer: str, events: int, size: int) -> None:
        """Count a request: its events, or its size in KiB if that is more."""
        units = max(1.0, events, size / 1024)
        self._peers.pay(peer, units)
        if key is not None:
            self._buckets(key).rate.pay(units)

    def check_search(self, peer: str) -> None:
        """Refused if the server has searched long enough for this peer."""
        _refuse(self._searches.wait(peer), "rate_limited", "too long a search; try again later")

    def pay_search(self, peer: str, seconds: float) -> None:
        """Count the seconds that a search took."""
        self._searches.pay(peer, seconds)

    @contextmanager
    def spend(self, key: WriteKey, peer: str, events: Sequence[Event]) -> Iterator[None]:
        """Count bytes of the day while they are written. Refused if there are none left."""
        self.check_key(key, peer)
        buckets, size = self._buckets(key), sum(map(stored_bytes, events))
        buckets.pending += size
        buckets.daily.pay(size)
        buckets.peers.pay(peer, size)
        try:
            yield
        except BaseException:
            buckets.daily.pay(-size)
            buckets.peers.pay(peer, -size)
            raise
        else:
            buckets.since += size
        finally:
            buckets.pending -= size

    def _buckets(self, key: WriteKey) -> KeyBuckets:
        """The key's buckets; new ones if it was revoked while its request came in."""
        if key.id not in self._keys:
            self._keys[key.id] = self._new_buckets(key.id, self._settings.rate, self._settings.daily)
        return self._keys[key.id]

    def _new_buckets(self, key: int, rate: float, daily: float) -> KeyBuckets:
        return KeyBuckets(key, rate, daily, self._clock, self._others)

    def _tell(self, key: WriteKey, buckets: KeyBuckets) -> None:
        hour = int(self._now() * 1000) // HOUR_MS
        if buckets.told != hour:
            buckets.told = hour
            logger.warning("key %d of the source %r has used its bytes of the day", key.id, key.name)


def _refuse(seconds: float, code: str, message: str) -> None:
    if seconds > 0:
        raise Refused(429, code, message, min(LONGEST_WAIT, int(seconds) + 1))

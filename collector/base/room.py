"""Room that many share, bytes or connections, and who makes way when there is none left.

A client that keeps the server waiting costs it what it holds, for as long as it holds it. Where there is no
room, the peer that costs most makes way, with the one of its holdings that costs most. That may be the one
that asks; then it is refused. So whoever only holds something displaces himself, and a client that gets
on stays.
"""

from __future__ import annotations

from collections.abc import Callable


class NoRoom(Exception):  # noqa: N818 - an outcome
    """Nobody makes way for this one now."""


class Room:
    """So much of something; one peer may have half of it."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self.size, self.clock = size, clock
        self.used = 0
        self.peers: dict[str, _Peer] = {}

    def costliest(self, peer: _Peer | None) -> Holding | None:
        """What has to make way first, of this peer or of all; None if nobody who holds something waits."""
        now = self.clock()
        if peer is None:
            peer = max(self.peers.values(), key=lambda one: one.rank(now), default=None)
        first = max(peer.waiting, key=lambda one: one.rank(now), default=None) if peer else None
        return first if first and first.amount else None


class Holding:
    """What one request or connection has of a room. `evict` is called if it has to make way.

    A peer that is not bounded may have the whole room.
    """

    __slots__ = ("_bounded", "_evict", "_name", "_room", "amount", "evicted", "since")

    def __init__(self, room: Room, peer: str, evict: Callable[[], object], *, bounded: bool = True) -> None:
        self._room, self._name, self._evict, self._bounded = room, peer, evict, bounded
        self.amount = 0
        self.since: float | None = None  # the server waits for the client, since then
        self.evicted = False

    def rank(self, now: float) -> tuple[float, int]:
        """The cost, and between equal ones the amount."""
        return (self.amount * (now - self.since) if self.since is not None else 0.0, self.amount)

    def take(self, count: int) -> None:
        """Have more. NoRoom if nobody makes way, or this one did."""
        if self.evicted:
            raise NoRoom
        while True:
            peer = self._peer()
            crowded = self._bounded and peer.held + count > self._room.size // 2
            if not crowded and self._room.used + count <= self._room.size:
                break
            other = self._room.costliest(peer if crowded else None)
            if other is None or other is self:
                self._change(0)
                raise NoRoom
            other.make_way()
        self._change(count)

    def give(self, count: int) -> None:
        self._change(-count)

    def give_all(self) -> None:
        self.proceed()
        self._change(-self.amount)

    def wait(self) -> None:
        """From now on the server waits for the client, and this may be displaced."""
        self.proceed()
        self.since = self._room.clock()
        self._peer().add(self, self.since)

    def proceed(self) -> None:
        """The client did its part."""
        if self.since is not None:
            self._peer().remove(self, self.since)
            self.since = None
            self._change(0)

    def make_way(self) -> None:
        self.evicted = True
        self.give_all()
        self._evict()

    def move(self, room: Room) -> None:
        """Have the same in this room instead, if it is another one. NoRoom if it is full."""
        if room is self._room:
            return
        there = Holding(room, self._name, self._evict, bounded=self._bounded)
        there.take(self.amount)
        self.give_all()
        self._room, self.amount = room, there.amount

    def hand_over(self) -> Callable[[], None]:
        """Pass on what is held; calling the result gives it back."""
        heir = Holding(self._room, self._name, self._evict)
        heir.amount, self.amount = self.amount, 0
        return heir.give_all

    def _peer(self) -> _Peer:
        peer = self._room.peers.get(self._name)
        if peer is None:
            peer = self._room.peers[self._name] = _Peer()
        return peer

    def _change(self, count: int) -> None:
        peer = self._peer()
        self.amount += count
        self._room.used += count
        peer.held += count
        if self.since is not None:
            peer.grow(count, self.since)
        if not peer.held and not peer.waiting:
            del self._room.peers[self._name]


class _Peer:
    """What one peer holds, and what of it waits for the peer.

    The cost of what waits is the sum of `amount * (now - since)`. Two sums tell it at any time.
    """

    __slots__ = ("_amounts", "_moments", "held", "waiting")

    def __init__(self) -> None:
        self.held = 0
        self.waiting: dict[Holding, None] = {}
        self._amounts, self._moments = 0, 0.0

    def rank(self, now: float) -> tuple[float, int]:
        return (self._amounts * now - self._moments, self._amounts)

    def add(self, holding: Holding, since: float) -> None:
        self.waiting[holding] = None
        self.grow(holding.amount, since)

    def remove(self, holding: Holding, since: float) -> None:
        del self.waiting[holding]
        self.grow(-holding.amount, since)

    def grow(self, amount: int, since: float) -> None:
        self._amounts += amount
        self._moments += amount * since

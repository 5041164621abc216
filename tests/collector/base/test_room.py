"""Room that many share."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from collector.base.room import Holding, NoRoom, Room


class World:
    """A room, a time that the test sets, and who had to make way."""

    def __init__(self, size: int) -> None:
        self.now = 100.0
        self.room = Room(size, lambda: self.now)
        self.made_way: list[str] = []

    def hold(self, peer: str, name: str = "", *, bounded: bool = True) -> Holding:
        return Holding(self.room, peer, self._note(name or peer), bounded=bounded)

    def waiting(self, peer: str, amount: int, name: str = "") -> Holding:
        held = self.hold(peer, name)
        held.take(amount)
        held.wait()
        return held

    def _note(self, name: str) -> Callable[[], None]:
        return lambda: self.made_way.append(name)


def test_the_costliest_of_the_costliest_peer_makes_way() -> None:
    world = World(100)
    for name, peer, amount in (("a", "x", 20), ("b", "x", 21), ("c", "y", 40)):
        world.waiting(peer, amount, name)
        world.now += 0.1
    newcomer = world.waiting("z", 20)
    assert world.made_way == ["a"]  # 20 × 0.3 is more than 21 × 0.2, and both together more than 40 × 0.1
    assert world.room.used == 81
    world.now += 10
    newcomer.take(30)
    assert world.made_way == ["a", "c"]


def test_who_asks_may_be_the_costliest_itself() -> None:
    world = World(100)
    large = world.waiting("x", 50)
    world.now += 1
    world.waiting("y", 50)
    with pytest.raises(NoRoom):
        large.take(1)
    assert world.made_way == []


def test_one_peer_has_half_and_displaces_its_own() -> None:
    world = World(100)
    world.waiting("y", 10)
    world.now += 10
    world.waiting("x", 50)
    world.now += 1
    world.waiting("x", 1)
    assert world.made_way == ["x"]
    world.hold("proxy", bounded=False).take(89)
    assert world.made_way == ["x"]


def test_what_does_not_wait_makes_no_way() -> None:
    world = World(100)
    busy = world.hold("x")
    busy.take(50)
    gone = world.waiting("y", 50)
    gone.proceed()
    newcomer = world.hold("z")
    newcomer.wait()
    with pytest.raises(NoRoom):
        newcomer.take(1)
    busy.give(1)
    newcomer.take(1)
    assert world.made_way == []


def test_who_made_way_gets_no_more() -> None:
    world = World(100)
    first = world.waiting("x", 50)
    world.now += 1
    world.waiting("y", 50)
    world.waiting("z", 1)
    assert (first.evicted, first.amount) == (True, 0)
    with pytest.raises(NoRoom):
        first.take(1)


def test_what_is_held_is_handed_over_and_moved() -> None:
    world, other = World(100), World(10)
    held = world.hold("x")
    held.take(30)
    with pytest.raises(NoRoom):
        held.move(other.room)
    release = held.hand_over()
    held.take(4)
    held.move(other.room)
    held.move(other.room)
    assert (world.room.used, other.room.used) == (30, 4)
    release()
    held.give_all()
    assert (world.room.used, other.room.used) == (0, 0)
    assert not world.room.peers
    assert not other.room.peers


def test_the_sums_stay_right_whatever_happens() -> None:
    chance = random.Random(5)
    world = World(1000)
    holdings = [world.hold(f"p{n % 7}") for n in range(40)]
    for _ in range(20_000):
        world.now += chance.random()
        number = chance.randrange(len(holdings))
        held = holdings[number]
        if held.evicted:
            assert held.amount == 0
            holdings[number] = world.hold(f"p{number % 7}")
            continue
        act = chance.choice((held.wait, held.proceed, held.give_all, lambda held=held: held.take(60)))
        try:
            act()
        except NoRoom:
            assert world.room.used + 60 > world.room.size or world.room.peers[f"p{number % 7}"].held > 440
        assert world.room.used == sum(one.amount for one in holdings) <= world.room.size
        for name, peer in world.room.peers.items():
            mine = [one for n, one in enumerate(holdings) if f"p{n % 7}" == name]
            assert peer.held == sum(one.amount for one in mine) <= 500
            cost = sum(one.rank(world.now)[0] for one in mine)
            assert peer.rank(world.now)[0] == pytest.approx(cost, abs=1e-3)
    assert world.made_way
    for held in holdings:
        held.give_all()
    assert not world.room.peers

"""When the keys are read, and when it is counted what each has added."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from collector.admin.keys import add_key
from collector.ingest.keyring import REFRESH_SECONDS, REST_TIMES, KeyRing
from collector.store import Stores, StoreUnavailable
from tests.wait import PATIENCE

pytestmark = pytest.mark.once


class Ring:
    """A ring whose clock goes on by what a count takes. It notes what was told of each look at the keys."""

    def __init__(self, stores: Stores, takes: float = 0.0) -> None:
        self.now, self.counts, self.told = 0.0, 0, list[bool]()
        self.fails, self.goes_on = False, threading.Event()
        self.goes_on.set()
        self._takes, self._loop = takes, asyncio.new_event_loop()
        counting: Any = self
        self._ring = KeyRing(
            Stores(stores.control, counting), lambda: self.now, PATIENCE, changed=self._changed
        )

    def usage_since(self, _: int) -> list[Any]:
        self.counts += 1
        assert self.goes_on.wait(PATIENCE)
        if self.fails:
            raise StoreUnavailable("away")
        self.now += self._takes
        return []

    def knows(self, key: str, after: float = 0.0) -> bool:
        """Whether the key is one. A count that this begins ends, unless it is held back."""
        self.now += after
        known = self._loop.run_until_complete(self._ring.find(key)) is not None
        if self.goes_on.is_set():
            self.settle()
        return known

    def settle(self) -> None:
        """Let the count end that has begun."""
        self.goes_on.set()
        if self._ring._count is not None:
            self._loop.run_until_complete(self._ring._count)

    def close(self) -> None:
        self.settle()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _changed(self, _: object, counted: bool) -> None:
        self.told.append(counted)


@pytest.fixture
def ring_of(stores: Stores) -> Iterator[Callable[..., Ring]]:
    made: list[Ring] = []

    def make(takes: float = 0.0) -> Ring:
        made.append(Ring(stores, takes))
        return made[-1]

    yield make
    for ring in made:
        ring.close()


def test_an_unknown_key_has_nothing_counted(stores: Stores, ring_of: Callable[..., Ring]) -> None:
    """Whoever has no key can send as many of them as they like."""
    ring, key = ring_of(), add_key(stores.control, "web", 0)
    assert ring.knows(key)
    assert not any(ring.knows("unknown", after=1) for _ in range(3))
    assert (ring.counts, ring.told) == (1, [True, False, False, False])
    assert ring.knows(add_key(stores.control, "new", 0), after=1)
    assert ring.counts == 1
    assert ring.knows(key, after=REFRESH_SECONDS - 4 + 0.1)
    assert (ring.counts, ring.told[-1]) == (2, True)


def test_a_count_that_takes_long_is_seldom(stores: Stores, ring_of: Callable[..., Ring]) -> None:
    """Keys that are made or revoked are noticed in time all the same."""
    ring, key = ring_of(takes=4.0), add_key(stores.control, "web", 0)
    assert ring.knows(key)
    for _ in range(2):
        assert ring.knows(key, after=REFRESH_SECONDS + 1)
    assert (ring.counts, ring.told) == (1, [True, False, False])
    assert ring.knows(key, after=REST_TIMES * 4 - 2 * (REFRESH_SECONDS + 1) + 0.1)
    assert ring.counts == 2


def test_no_known_key_waits_for_a_later_count(stores: Stores, ring_of: Callable[..., Ring]) -> None:
    """With very many events it may take ClickHouse longer than a request may take."""
    ring, key = ring_of(), add_key(stores.control, "web", 0)
    assert ring.knows(key)
    ring.goes_on.clear()
    for _ in range(2):
        assert ring.knows(key, after=REFRESH_SECONDS + 1)
    assert not ring.knows("unknown", after=1)
    assert ring.knows(add_key(stores.control, "new", 0), after=1)
    assert ring.told == [True, False, False, False, False]
    ring.settle()
    assert (ring.counts, ring.told[-1]) == (2, True)


def test_a_count_that_fails_takes_no_key_away(
    stores: Stores, ring_of: Callable[..., Ring], caplog: pytest.LogCaptureFixture
) -> None:
    ring, key = ring_of(), add_key(stores.control, "web", 0)
    assert ring.knows(key)
    ring.fails = True
    for _ in range(3):
        assert ring.knows(key, after=REFRESH_SECONDS + 1)
    assert ring.told == [True, False, False, False]
    assert caplog.text.count("what the write keys have added was not counted: away") == 1
    ring.fails = False
    assert ring.knows(key, after=REFRESH_SECONDS + 1)
    assert (ring.counts, ring.told[-1]) == (5, True)

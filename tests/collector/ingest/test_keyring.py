"""When the keys are read, and when it is counted what each has added."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from collector.admin.keys import add_key
from collector.ingest.keyring import REFRESH_SECONDS, REST_TIMES, KeyRing
from collector.store import Stores
from tests.wait import PATIENCE

pytestmark = pytest.mark.once


class Ring:
    """A ring whose clock goes on by what a count takes. It notes what was told of each look at the keys."""

    def __init__(self, stores: Stores, takes: float = 0.0) -> None:
        self.now, self.counts, self.told = 0.0, 0, list[bool]()
        self._takes = takes
        counting: Any = self
        self._ring = KeyRing(
            Stores(stores.control, counting), lambda: self.now, PATIENCE, changed=self._changed
        )

    def usage_since(self, _: int) -> list[Any]:
        self.counts += 1
        self.now += self._takes
        return []

    def knows(self, key: str, after: float = 0.0) -> bool:
        self.now += after
        return asyncio.run(self._ring.find(key)) is not None

    def _changed(self, _: object, counted: bool) -> None:
        self.told.append(counted)


def test_an_unknown_key_has_nothing_counted(stores: Stores) -> None:
    """Whoever has no key can send as many of them as they like."""
    ring, key = Ring(stores), add_key(stores.control, "web", 0)
    assert ring.knows(key)
    assert not any(ring.knows("unknown", after=1) for _ in range(3))
    assert (ring.counts, ring.told) == (1, [True, False, False, False])
    assert ring.knows(add_key(stores.control, "new", 0), after=1)
    assert ring.counts == 1
    assert ring.knows(key, after=REFRESH_SECONDS - 4 + 0.1)
    assert (ring.counts, ring.told[-1]) == (2, True)


def test_a_count_that_takes_long_is_seldom(stores: Stores) -> None:
    """Keys that are made or revoked are noticed in time all the same."""
    ring, key = Ring(stores, takes=4.0), add_key(stores.control, "web", 0)
    assert ring.knows(key)
    for _ in range(2):
        assert ring.knows(key, after=REFRESH_SECONDS + 1)
    assert (ring.counts, ring.told) == (1, [True, False, False])
    assert ring.knows(key, after=REST_TIMES * 4 - 2 * (REFRESH_SECONDS + 1) + 0.1)
    assert ring.counts == 2

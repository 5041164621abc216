"""The count of all instances is exact, or at most as old as it is said."""

from __future__ import annotations

from collections.abc import Callable

from collector.page.queries.instances import KEPT_TIMES, CensusCache
from collector.store import Store
from tests.collector.page.client import NOW
from tests.collector.page.stories import event


def count(cache: CensusCache) -> int:
    return sum(cache.census(1, 0, NOW, NOW).states.values())


def test_a_quick_count_is_always_taken_anew(page_store: Store, send: Callable[..., None]) -> None:
    cache = CensusCache(page_store, iter([0.0, 0.01, 0.02, 0.03]).__next__)
    for number in (1, 2):
        send({**event("Instance Active"), "anonymousId": f"a{number}"})
        assert count(cache) == number


def test_a_slow_count_is_kept_for_a_while(page_store: Store, send: Callable[..., None]) -> None:
    cache = CensusCache(page_store, iter([0.0, 1.0, KEPT_TIMES, KEPT_TIMES + 2, KEPT_TIMES + 3]).__next__)
    for number, shown in ((1, 1), (2, 1), (3, 3)):
        send({**event("Instance Active"), "anonymousId": f"a{number}"})
        assert count(cache) == shown

"""The count of all instances is exact, or at most as old as it is said."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from collector.base.times import write_time
from collector.page.queries import census as counting
from collector.page.queries.census import KEPT_TIMES, CensusCache
from collector.store import Stores
from collector.store.sql import census
from collector.store.words import OTHER
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import HOUR, event
from tests.wait import until


def count(cache: CensusCache) -> int:
    return sum(cache.census(1, NOW).states.values())


def test_a_quick_count_is_always_taken_anew(page_stores: Stores, send: Callable[..., None]) -> None:
    cache = CensusCache(page_stores, clock=iter([0.0, 0.01, 0.02, 0.03]).__next__)
    for number in (1, 2):
        send({**event("Instance Active"), "anonymousId": f"a{number}"})
        assert count(cache) == number


def test_a_slow_count_is_kept_for_a_while(page_stores: Stores, send: Callable[..., None]) -> None:
    cache = CensusCache(
        page_stores, clock=iter([0.0, 1.0, KEPT_TIMES, KEPT_TIMES + 2, KEPT_TIMES + 3]).__next__
    )
    for number, shown in ((1, 1), (2, 1), (3, 3)):
        send({**event("Instance Active"), "anonymousId": f"a{number}"})
        assert count(cache) == shown


def test_a_slow_count_is_renewed_in_the_background(page_stores: Stores, send: Callable[..., None]) -> None:
    """Views show the last one meanwhile, however old it is."""
    send(event("Instance Active"))
    moments = itertools.count(0, 100)
    cache = CensusCache(page_stores, now=lambda: NOW / 1000, clock=lambda: float(next(moments)))
    assert count(cache) == 1
    cache.start()
    try:
        send({**event("Instance Active"), "anonymousId": "another"})
        assert until(lambda: count(cache) == 2)
    finally:
        cache.stop()


def test_a_server_that_starts_shows_the_last_count_of_a_large_fleet_until_it_has_counted(
    page_stores: Stores, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(seconds: float) -> CensusCache:
        moments = itertools.count(0.0, seconds)
        return CensusCache(page_stores, now=lambda: NOW / 1000, clock=moments.__next__)

    send(event("Instance Active"))
    made(1.0).step()
    send({**event("Instance Active"), "anonymousId": "another"})
    assert count(made(1.0)) == 2  # without a background, nobody would ever count anew
    with monkeypatch.context() as idle:
        idle.setattr(counting, "PAUSE_SECONDS", 3600.0)
        started = made(1.0)
        started.start()
        assert count(started) == 1
        started.stop()
    started._stopping.clear()  # from here on, the test does its steps
    started.step()
    assert count(started) == 2
    assert sum(page_stores.events.kept_censuses()[1].states.values()) == 2
    started = made(0.0)
    started.start()
    try:
        assert until(lambda: page_stores.events.kept_censuses() == {})  # it is no large fleet any more
    finally:
        started.stop()


def test_the_store_soon_has_a_count_that_a_view_was_the_first_to_take(
    page_stores: Stores, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(event("Instance Active"))
    moments = itertools.count(0.0, 1.0)
    cache = CensusCache(page_stores, now=lambda: NOW / 1000, clock=moments.__next__)
    monkeypatch.setattr(CensusCache, "running", True)
    assert count(cache) == 1
    cache.step()
    assert sum(page_stores.events.kept_censuses()[1].states.values()) == 1


def test_versions_beyond_those_that_are_read_are_counted_together(
    page_stores: Stores, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        for ago in (2 * 24 * HOUR, HOUR):
            send({**event("Instance Active", ago), "anonymousId": f"a{number}"})
        install = event("Installation Started", 3 * HOUR, run=f"run {number}")
        install["context"]["app"]["version"] = f"1.{max(number, 2)}"
        send({**install, "anonymousId": f"a{number}"})
    monkeypatch.setattr(census, "MOST_SYSTEMS", 2)
    taken = page_stores.events.census(1, NOW)
    assert taken.versions == {"1.2": 3, "1.3": 1, OTHER: 1}
    assert taken.systems == {"debian 12": 4, OTHER: 1}


def test_the_page_says_how_old_a_count_is(
    page_stores: Stores, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(event("Instance Active"))
    client = PageClient(page_stores)
    for address in ("/", "/instances"):
        assert "Instances were counted at" not in client.get(address).text
    assert client.get("/instances.json").json()["instances_counted"] == write_time(NOW)
    ticks = itertools.count(0.0, 0.1)  # every count is a slow one, and kept
    monkeypatch.setattr(PageClient, "clock", property(lambda _: next(ticks), lambda *_: None), raising=False)
    monkeypatch.setattr(counting, "KEPT_TIMES", 1000)
    client.get("/instances")
    client.now += 5 * 60_000
    for address in ("/", "/instances"):
        assert "Instances were counted at" in client.get(address).text
    assert client.get("/instances.json").json()["instances_counted"] == write_time(NOW)
    assert "Instances were counted at" not in client.get("/events").text

"""Which numbers of a store are cached, how right they are, and what they say of their age."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from collector.base.environments import ALL, PRODUCTION
from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store import EventStore
from collector.store.clickhouse import events as lists
from collector.store.clickhouse import number_cache, part
from collector.store.fleet import InstanceFilter
from collector.store.spans import SPANS
from collector.store.values import Cutoffs
from tests.collector.store.clickhouse.fleet import fleet_of, quiet
from tests.collector.store.contract.answers import FIRST, LAST, NAMES, PERIODS, said_by, told_by
from tests.collector.store.contract.history import INSTANCES as IDS
from tests.collector.store.contract.history import NOW, SOURCE, keep_in_pieces, made_history

pytestmark = [pytest.mark.once, pytest.mark.needs("clickhouse")]


def cache_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fleet be large, so that all of its numbers are cached, and not counted anew soon."""
    monkeypatch.setattr(number_cache, "LARGE", 1)
    monkeypatch.setattr(number_cache, "QUICK_SECONDS", 0.0)
    monkeypatch.setattr(number_cache, "RENEWED_TIMES", 1e6)


def test_numbers_of_a_large_fleet_are_cached_until_something_is_deleted_and_tell_their_age(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, history = opened(), made_history(0)
    keep_in_pieces(store, history[:100])
    told = told_by(store)
    keep_in_pieces(store, history[100:])
    assert told_by(store) != told  # a small one is counted each time
    assert store.counted_until() is None
    cache_all(monkeypatch)
    began = time.time_ns() // 1_000_000
    told = told_by(store.within(PRODUCTION))
    assert told == said_by(history)
    beat = next(event for event in history if event.name == BEAT)
    later = beat._replace(id=b"later".ljust(16), source=SOURCE, who=b"other".ljust(16), time=NOW - 1)
    store.keep([later])
    again = store.within(PRODUCTION)
    assert [again.active_by_day(SOURCE, span, FIRST, LAST) for span in SPANS] == [
        told[f"active in {span}"] for span in SPANS
    ]
    counted = again.counted_until()
    assert counted is not None
    assert began <= counted <= time.time_ns() // 1_000_000
    assert again.count_by_day(SOURCE, BEAT, FIRST, LAST)[NOW // DAY_MS] > 0
    assert store.within(ALL).counted_until() is None  # nothing was asked of this one yet
    listed = again.list_instances(SOURCE, InstanceFilter("all"), FIRST, LAST, NOW, (NOW + 1, b""), 100)[0]
    assert later.who in [one.id for one in listed]  # a list is not cached
    store.forget(SOURCE, IDS[0])
    left = said_by([event for event in [*history, later] if event.who != IDS[0]])
    assert {name: told for name, told in told_by(store).items() if told != left[name]} == {}


def test_cached_numbers_have_each_instance_once_after_another_collector_let_it_expire(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_all(monkeypatch)
    monkeypatch.setattr(part, "KNOWN_SECONDS", 0.0)
    store, other = opened(), opened()
    keep_in_pieces(store, made_history(0))
    told = fleet_of(store)
    assert other.expire(Cutoffs.all_at(NOW), NOW, quiet).events
    assert fleet_of(store)[1:3] == fleet_of(other)[1:3] == told[1:3]


def test_the_names_that_are_counted_together_are_the_most_frequent_and_others_are_counted_alone(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So whoever sends any number of names changes neither what is cached nor how large it is."""
    store, history = opened(), made_history(0)
    keep_in_pieces(store, history)
    told, often = told_by(store), store.event_names(SOURCE, 100)
    assert len(often) > 3
    monkeypatch.setattr(lists, "MOST_NAMES", 2)
    cache_all(monkeypatch)
    assert store.event_names(SOURCE, 100) == often[:2]
    assert [name for name, _ in store.count_by_name(SOURCE, FIRST, LAST, 100)] == often[:2]
    monkeypatch.setattr(lists, "MOST_DAYS", 1)
    asked = opened().within(PRODUCTION)
    assert asked.event_names(SOURCE, 100) == [BEAT]
    assert [asked.count_by_day(SOURCE, name, *PERIODS[0]) for name in NAMES[1:]] == told["by day"]
    store.keep(event._replace(id=event.id[::-1]) for event in history)
    again = asked.within(ALL)
    assert [again.count_by_day(SOURCE, name, *PERIODS[0]) for name in NAMES[1:]] == told["by day"]
    assert again.counted_until() is not None


def test_the_names_to_choose_from_say_no_age(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list below them is of now."""
    cache_all(monkeypatch)
    store = opened()
    keep_in_pieces(store, made_history(0))
    view = store.within(PRODUCTION)
    assert view.event_names(SOURCE, 100) == view.event_names(SOURCE, 100) != []
    assert view.counted_until() is None
    assert view.count_by_name(SOURCE, FIRST, LAST, 100)
    assert view.counted_until() is not None

"""Cached numbers of a large fleet: how old they may be, how they are counted anew, and what drops them."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from collector.base.environments import ALL, PRODUCTION
from collector.store.clickhouse import number_cache
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.number_cache import (
    LARGE,
    OLDEST_SECONDS,
    RENEWED_SECONDS,
    RENEWED_TIMES,
    CachedNumbers,
    cached_for_all,
    cached_if_large,
)
from collector.store.clickhouse.part import ClickHousePart
from collector.store.errors import StoreError
from tests.wait import PATIENCE, until

SOURCE = 1
TOOK = 2.0


class Fleet(ClickHousePart):
    """A part with two questions, which take two seconds of a clock that the test winds."""

    def __init__(self) -> None:
        super().__init__(Client(read_address("clickhouse://nobody@127.0.0.1:1/none")))
        self.time, self.asked, self.size = 0.0, list[tuple[str, int]](), LARGE
        self.cached = CachedNumbers(lambda: self.time)
        self.meanwhile: Callable[[], object] = lambda: None

    def instances_of(self, source: int) -> int:
        del source
        return self.size

    @cached_if_large
    def count(self, source: int, word: str, now: int) -> dict[str, list[int]]:
        del source
        return self.answer(word, now)

    @cached_for_all
    def count_all(self, source: int) -> dict[str, list[int]]:
        del source
        return self.answer("all", 0)

    def answer(self, word: str, now: int) -> dict[str, list[int]]:
        self.asked.append((word, now))
        self.time += TOOK
        self.meanwhile()
        return {word: [len(self.asked)]}


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    made = Fleet()
    with closing(made.cached):
        yield made


def test_numbers_are_cached_for_all_who_ask_the_same_of_the_same_environment(fleet: Fleet) -> None:
    first = fleet.count(SOURCE, "a", now=1)
    first["a"].append(9)  # whoever asks may change what is told
    fleet.count(SOURCE, "a", 1)["a"].append(9)
    again = fleet.within(PRODUCTION)
    assert again.count(SOURCE, word="a", now=2) == {"a": [1]}  # `now` makes no difference
    assert fleet.within(ALL).count(SOURCE, "a", 3) == {"a": [2]}
    assert fleet.count(SOURCE, "b", 3) == {"b": [3]}
    assert fleet.count(SOURCE + 1, "a", 3) == {"a": [4]}


def test_what_every_environment_has_in_common_is_counted_once(fleet: Fleet) -> None:
    assert fleet.count_all(SOURCE) == fleet.within(ALL).count_all(SOURCE) == {"all": [1]}
    assert fleet.count_all(SOURCE + 1) == {"all": [2]}


def test_a_view_tells_the_age_of_its_own_numbers_and_the_store_tells_none(fleet: Fleet) -> None:
    """Whoever asks the store itself, as alerts do, would otherwise be told of the oldest ever."""
    first = time.time_ns() // 1_000_000
    fleet.count(SOURCE, "a", 1)
    second = time.time_ns() // 1_000_000
    view = fleet.within(PRODUCTION)
    view.count(SOURCE, "b", 1)
    assert view.counted_until() is None  # as of now
    for word in "ba":
        fleet.count(SOURCE, word, 2)
        assert view.count(SOURCE, word, 2)[word]
    counted = view.counted_until()
    assert counted is not None
    assert first <= counted <= second
    assert fleet.counted_until() is fleet.within(PRODUCTION).counted_until() is None


def test_a_small_fleet_is_counted_each_time_and_so_is_what_is_quick(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.size = LARGE - 1
    assert [fleet.count(SOURCE, "a", 1)["a"] for _ in range(3)] == [[1], [2], [3]]
    fleet.size = LARGE
    monkeypatch.setattr(number_cache, "QUICK_SECONDS", TOOK)
    assert [fleet.count(SOURCE, "a", 1)["a"] for _ in range(3)] == [[4], [5], [6]]


def test_old_numbers_are_shown_while_they_are_counted_anew_once(fleet: Fleet) -> None:
    fleet.count(SOURCE, "a", 1)
    fleet.time += min(RENEWED_TIMES * TOOK, RENEWED_SECONDS) - 1
    assert fleet.count(SOURCE, "a", 2) == {"a": [1]}
    assert len(fleet.asked) == 1
    goes_on = threading.Event()
    fleet.meanwhile = lambda: goes_on.wait(PATIENCE)
    fleet.time += 2
    assert [fleet.count(SOURCE, "a", now) for now in (3, 4)] == [{"a": [1]}] * 2
    until(lambda: len(fleet.asked) > 1)
    goes_on.set()
    until(lambda: fleet.count(SOURCE, "a", 5) == {"a": [2]})
    assert fleet.asked == [("a", 1), ("a", 3)]


def test_what_was_counted_anew_since_it_was_looked_up_is_not_counted_again(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by another thread, which was done before this one asked for it."""
    fleet.count(SOURCE, "a", 1)
    fleet.time += RENEWED_SECONDS + 1
    find = fleet.cached.find

    def find_late(key: object) -> object:
        found = find(key)
        fleet.cached.count(key, lambda: fleet.answer("a", 2), lambda: True)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(fleet.cached, "find", find_late)
        assert fleet.count(SOURCE, "a", 3) == {"a": [1]}
    fleet.cached.close()
    assert fleet.asked == [("a", 1), ("a", 2)]


def test_numbers_that_could_not_be_counted_anew_are_shown_until_they_are_too_old(fleet: Fleet) -> None:
    fleet.count(SOURCE, "a", 1)

    def fail() -> None:
        raise StoreError("away")

    fleet.meanwhile = fail
    fleet.time += RENEWED_SECONDS + 1
    for tried in (2, 3):  # whoever asks tries again
        assert fleet.count(SOURCE, "a", tried) == {"a": [1]}
        until(lambda: fleet.count(SOURCE, "a", 9) and len(fleet.asked) >= tried)  # noqa: B023
    fleet.time += OLDEST_SECONDS
    with pytest.raises(StoreError, match="away"):
        fleet.count(SOURCE, "a", 4)


def test_what_was_counted_while_something_was_deleted_is_not_cached(fleet: Fleet) -> None:
    fleet.meanwhile = fleet.cached.drop
    assert fleet.count(SOURCE, "a", 1) == {"a": [1]}
    fleet.meanwhile = lambda: None
    assert fleet.count(SOURCE, "a", 2) == {"a": [2]}
    assert fleet.count(SOURCE, "a", 3) == {"a": [2]}
    fleet.cached.drop()
    assert fleet.count(SOURCE, "a", 4) == {"a": [3]}


def test_a_failure_is_logged_and_the_next_ones_are_counted(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    for word in "ab":
        fleet.count(SOURCE, word, 1)
    goes_on = threading.Event()

    def fail() -> None:
        goes_on.wait(PATIENCE)
        if fleet.asked[-1] == ("a", 2):
            raise ZeroDivisionError

    fleet.meanwhile = fail
    fleet.time += RENEWED_SECONDS + 1
    for word in "ab":
        fleet.count(SOURCE, word, 2)
    goes_on.set()
    until(lambda: fleet.count(SOURCE, "b", 3) == {"b": [4]})
    assert "ZeroDivisionError" in caplog.text


def test_what_nobody_asked_for_longest_makes_room(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """One who asks for ever more does not drop what others ask for all the time."""
    monkeypatch.setattr(number_cache, "MOST_CACHED", 2)
    for word in "abcd":
        fleet.count(SOURCE, word, 1)
        assert fleet.count(SOURCE, "a", 1) == {"a": [1]}
    assert fleet.count(SOURCE, "d", 1) == {"d": [4]}
    assert fleet.count(SOURCE, "b", 1) == {"b": [5]}


def test_what_is_cached_is_bounded_in_bytes_each_and_in_all(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(pickle.dumps({"a": [1]}))
    monkeypatch.setattr(number_cache, "MOST_BYTES", 2 * size)
    for word in "abc":
        fleet.count(SOURCE, word, 1)
    assert [fleet.count(SOURCE, word, 1)[word] for word in "cba"] == [[3], [2], [4]]
    monkeypatch.setattr(number_cache, "LARGEST_BYTES", size)
    assert [fleet.count(SOURCE, "longer", 1)["longer"] for _ in range(2)] == [[5], [6]]


def test_the_end_does_not_wait_for_a_long_question(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_cache, "STOP_SECONDS", 0.01)
    before = threading.enumerate()  # a store of another test may still count
    fleet.count(SOURCE, "a", 1)
    began, goes_on, ended = threading.Event(), threading.Event(), threading.Event()

    def last_long() -> None:
        began.set()
        goes_on.wait(PATIENCE)
        ended.set()

    fleet.meanwhile = last_long
    fleet.time += RENEWED_SECONDS + 1
    assert fleet.count(SOURCE, "a", 2) == {"a": [1]}
    assert began.wait(PATIENCE)
    fleet.cached.close()
    assert not ended.is_set()
    (thread,) = (one for one in threading.enumerate() if one.name == "numbers" and one not in before)
    assert thread.daemon  # the process does not wait for it either
    goes_on.set()
    thread.join(PATIENCE)
    assert fleet.count(SOURCE, "a", 3) == {"a": [2]}


def test_nothing_is_counted_in_the_background_after_the_end(fleet: Fleet) -> None:
    fleet.count(SOURCE, "a", 1)
    fleet.time += RENEWED_SECONDS + 1
    fleet.cached.close()
    before, goes_on = threading.enumerate(), threading.Event()
    fleet.meanwhile = lambda: goes_on.wait(PATIENCE)
    assert fleet.count(SOURCE, "a", 2) == {"a": [1]}
    assert "numbers" not in [one.name for one in threading.enumerate() if one not in before]

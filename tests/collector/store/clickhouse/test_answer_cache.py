"""Numbers of a large fleet that are kept: how old they may be, how they are renewed, and what drops them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from collector.base.environments import ALL, PRODUCTION
from collector.store.clickhouse import answer_cache
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.answer_cache import (
    LARGE,
    LONGEST,
    OLDEST_SECONDS,
    RENEWED_SECONDS,
    RENEWED_TIMES,
    KeptAnswers,
    kept_if_large,
)
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.part import ClickHousePart
from collector.store.errors import StoreError
from tests.wait import until

SECONDS = 10
SOURCE = 1
TOOK = 2.0


class Fleet(ClickHousePart):
    """A part with one question, which takes two seconds of a clock that the test winds."""

    def __init__(self) -> None:
        super().__init__(Client(read_address("clickhouse://nobody@127.0.0.1:1/none")))
        self.time, self.asked, self.size = 0.0, list[tuple[str, int]](), LARGE
        self.answers = KeptAnswers(lambda: self.time)
        self.meanwhile: Callable[[], object] = lambda: None

    def instances_of(self, source: int) -> int:
        del source
        return self.size

    @kept_if_large
    def count(self, source: int, word: str, now: int) -> dict[str, list[int]]:
        del source
        self.asked.append((word, now))
        self.time += TOOK
        self.meanwhile()
        return {word: [len(self.asked)]}


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    made = Fleet()
    with closing(made.answers):
        yield made


def test_an_answer_is_kept_for_all_who_ask_the_same_of_the_same_environment(fleet: Fleet) -> None:
    first = fleet.count(SOURCE, "a", now=1)
    first["a"].append(9)  # whoever asks may change what is told
    fleet.count(SOURCE, "a", 1)["a"].append(9)
    assert fleet.counted_until() is not None
    again = fleet.within(PRODUCTION)
    assert again.counted_until() is None
    assert again.count(SOURCE, word="a", now=2) == {"a": [1]}  # `now` makes no difference
    assert again.counted_until() is not None
    assert fleet.within(ALL).count(SOURCE, "a", 3) == {"a": [2]}
    assert fleet.count(SOURCE, "b", 3) == {"b": [3]}
    assert fleet.count(SOURCE + 1, "a", 3) == {"a": [4]}


def test_a_small_fleet_is_counted_each_time_and_so_is_what_is_quick(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.size = LARGE - 1
    assert [fleet.count(SOURCE, "a", 1)["a"] for _ in range(3)] == [[1], [2], [3]]
    fleet.size = LARGE
    monkeypatch.setattr(answer_cache, "QUICK_SECONDS", TOOK)
    assert [fleet.count(SOURCE, "a", 1)["a"] for _ in range(3)] == [[4], [5], [6]]
    assert fleet.counted_until() is None


def test_an_old_answer_is_shown_while_it_is_renewed_once(fleet: Fleet) -> None:
    fleet.count(SOURCE, "a", 1)
    fleet.time += min(RENEWED_TIMES * TOOK, RENEWED_SECONDS) - 1
    assert fleet.count(SOURCE, "a", 2) == {"a": [1]}
    assert len(fleet.asked) == 1
    goes_on = threading.Event()
    fleet.meanwhile = lambda: goes_on.wait(SECONDS)
    fleet.time += 2
    assert [fleet.count(SOURCE, "a", now) for now in (3, 4)] == [{"a": [1]}] * 2
    until(lambda: len(fleet.asked) > 1, SECONDS)
    goes_on.set()
    until(lambda: fleet.count(SOURCE, "a", 5) == {"a": [2]}, SECONDS)
    assert fleet.asked == [("a", 1), ("a", 3)]


def test_an_answer_that_could_not_be_renewed_is_shown_until_it_is_too_old(fleet: Fleet) -> None:
    fleet.count(SOURCE, "a", 1)

    def fail() -> None:
        raise StoreError("away")

    fleet.meanwhile = fail
    fleet.time += RENEWED_SECONDS + 1
    for tried in (2, 3):  # whoever asks tries again
        assert fleet.count(SOURCE, "a", tried) == {"a": [1]}
        until(lambda: fleet.count(SOURCE, "a", 9) and len(fleet.asked) >= tried, SECONDS)  # noqa: B023
    fleet.time += OLDEST_SECONDS
    with pytest.raises(StoreError, match="away"):
        fleet.count(SOURCE, "a", 4)


def test_what_was_counted_while_something_was_deleted_is_not_kept(fleet: Fleet) -> None:
    fleet.meanwhile = fleet.answers.drop
    assert fleet.count(SOURCE, "a", 1) == {"a": [1]}
    fleet.meanwhile = lambda: None
    assert fleet.count(SOURCE, "a", 2) == {"a": [2]}
    assert fleet.count(SOURCE, "a", 3) == {"a": [2]}
    fleet.answers.drop()
    assert fleet.count(SOURCE, "a", 4) == {"a": [3]}


def test_an_answer_that_is_too_long_is_not_kept(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_cache, "LONGEST", 0)
    assert [fleet.count(SOURCE, "a", 1)["a"] for _ in range(2)] == [[1], [2]]
    monkeypatch.setattr(answer_cache, "LONGEST", LONGEST)
    monkeypatch.setattr(answer_cache, "MOST_KEPT", 2)
    for word in "abcd":
        fleet.count(SOURCE, word, 1)
    assert fleet.count(SOURCE, "d", 1) == {"d": [6]}
    assert fleet.count(SOURCE, "a", 1) == {"a": [7]}

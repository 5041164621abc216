"""To make every counter anew changes nothing, unless one was wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from collector.store import EventStore
from collector.store.values import Cutoffs
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import INSTANCES, KEYS, NOW, SOURCE, made_history, pieces


def quiet(_: int) -> None:
    """No progress."""


def test_every_counter_is_right_whatever_waits(events: EventStore) -> None:
    history = made_history(0)
    for number, piece in enumerate(pieces(history, 30)):
        events.keep(piece)
        if number % 2:
            assert (events.fold() > 0) == events.counts_apart
    seen: list[int] = []
    assert events.recount(seen.append) == 0
    assert sorted(seen) == seen
    assert seen[-1] >= len(history)
    assert told_by(events) == said_by(history)


def test_others_keep_and_count_meanwhile(events: EventStore) -> None:
    history = made_history(1)
    with ThreadPoolExecutor(3) as threads:
        work = [threads.submit(events.keep, piece) for piece in pieces(history, 8)]
        again = [threads.submit(events.recount, quiet) for _ in range(3)]
        work += [threads.submit(events.fold) for _ in range(10)]
    assert [one.result() for one in again] == [0, 0, 0]
    assert sum(one.result() for one in work) >= len(history)
    assert events.recount(quiet) == 0
    assert told_by(events) == said_by(history)


def test_counters_are_right_after_deletions(events: EventStore) -> None:
    history = made_history(2)
    events.keep(history)
    events.forget(SOURCE, INSTANCES[0])
    events.remove(KEYS[0], 0, NOW - 1, quiet)
    assert events.recount(quiet) == 0


def test_numbers_stay_where_events_have_expired(events: EventStore) -> None:
    history = made_history(0)
    events.keep(history)
    events.expire(Cutoffs.all_at(history[len(history) // 2].received), NOW, quiet)
    told = told_by(events)
    assert events.recount(quiet) == 0
    assert told_by(events) == told

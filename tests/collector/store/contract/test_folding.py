"""Events are counted after they were kept, each exactly once, in whatever pieces."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from collector.store import EventStore
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import (
    INSTANCES,
    OTHER_SOURCE,
    SOURCE,
    made_history,
    pieces,
)


def fold_all(events: EventStore) -> int:
    count = 0
    while folded := events.fold():
        count += folded
    return count


def test_each_event_is_counted_once_however_kept_and_counted(events: EventStore) -> None:
    history = made_history(0)
    chance = random.Random(0)
    count = 0
    for piece in pieces(history, 9):
        events.keep([*piece, *piece])
        if chance.random() < 0.3:
            count += events.fold()
    count += fold_all(events)
    assert count == (len(history) if events.counts_apart else 0)
    assert events.fold() == 0
    for source in (SOURCE, OTHER_SOURCE):
        assert told_by(events, source) == said_by(history, source)


def test_nothing_waits_once_all_is_counted(events: EventStore) -> None:
    assert events.counted_until() is None
    events.keep(made_history(0))
    fold_all(events)
    assert events.counted_until() is None


def test_threads_that_keep_and_threads_that_count_agree(events: EventStore) -> None:
    history = made_history(1)
    with ThreadPoolExecutor(4) as threads:
        kept = [threads.submit(events.keep, piece) for piece in pieces(history, 10)]
        counted = [threads.submit(events.fold) for _ in range(10)]
        asked = [threads.submit(told_by, events) for _ in range(3)]
    assert sum(one.result() for one in kept) == len(history)
    assert sum(one.result() for one in counted) <= len(history)
    assert all(one.result() for one in asked)
    fold_all(events)
    assert told_by(events) == said_by(history)


def test_whoever_is_forgotten_while_others_keep_and_count_is_gone(events: EventStore) -> None:
    history = [event for event in made_history(2) if event.source == SOURCE]
    gone = [event for event in history if event.who == INSTANCES[0]]
    left = [event for event in history if event.who != INSTANCES[0]]
    events.keep(gone)
    with ThreadPoolExecutor(4) as threads:
        work = [threads.submit(events.keep, piece) for piece in pieces(left, 10)]
        work.insert(5, threads.submit(events.fold))
        forgotten = threads.submit(events.forget, SOURCE, INSTANCES[0])
        work += [threads.submit(events.fold) for _ in range(5)]
    assert all(one.result() is not None for one in work)
    assert forgotten.result().events == len(gone)
    assert told_by(events) == said_by(left)

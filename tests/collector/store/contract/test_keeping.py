"""Each event is kept exactly once, all of a call or none, and comes out as it went in."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.base.events import BEAT
from collector.store import EventStore, StoreError
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import (
    SOURCE,
    keep_in_pieces,
    made_history,
    pieces,
    without_late_beats,
)


def exported(events: EventStore) -> list[str]:
    return [body for piece in events.export() for _, body in piece]


def test_an_event_is_kept_once_however_often_it_comes(events: EventStore) -> None:
    history = made_history(0)
    assert events.keep(history[:50]) == 50
    assert events.keep(history[:50]) == 0
    assert events.keep([*history[40:60], *history[40:60]]) == 10
    assert told_by(events) == said_by(history[:60])


def test_the_same_id_is_another_event_in_another_source(events: EventStore) -> None:
    event = made_history(0)[0]
    assert events.keep([event, event._replace(source=event.source + 10)]) == 2
    assert events.keep([event._replace(source=event.source + 10)]) == 0


def test_what_many_threads_keep_at_once_is_counted_once(events: EventStore) -> None:
    history = made_history(1)
    jobs = [*pieces(history, 10), *pieces(history, 25)]
    with ThreadPoolExecutor(4) as threads:
        fresh = sum(threads.map(events.keep, jobs))
    assert fresh == len(history)
    assert told_by(events) == said_by(history)


def test_of_events_that_cannot_all_be_kept_none_is(events: EventStore) -> None:
    good = made_history(0)[:10]
    bad = good[1]._replace(id=b"x" * 16, name="bad", body=None)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        events.keep([*good, bad])
    assert exported(events) == []
    assert told_by(events) == said_by([])
    assert events.keep(good) == 10


def test_an_export_gives_back_what_was_kept_oldest_first(events: EventStore) -> None:
    history = without_late_beats(made_history(0))
    keep_in_pieces(events, history, 30)
    bodies = exported(events)
    assert len(bodies) == len(history)
    for start in range(0, len(history), 30):
        piece = [event.body for event in history[start : start + 30]]
        assert Counter(bodies[start : start + 30]) == Counter(piece)


def test_an_export_has_events_as_they_came_and_says_from_which_source(events: EventStore) -> None:
    history = [event for event in made_history(0) if event.name != BEAT]
    mixed = [event._replace(source=SOURCE + number % 2) for number, event in enumerate(history)]
    events.keep(mixed[:30])
    events.keep(mixed[20:])
    found = [pair for piece in events.export() for pair in piece]
    assert found == [(event.source, event.body) for event in mixed]


def test_a_store_says_what_it_takes_and_that_it_is_there(events: EventStore) -> None:
    events.ping()
    before = events.space()
    large = made_history(0)[0]._replace(source=SOURCE, body='"' + "x" * 30_000 + '"')
    events.keep(large._replace(id=number.to_bytes(16, "big")) for number in range(100))
    events.tidy()
    after = events.space()
    assert after.used > before.used > 0
    assert after.free is None or after.free > 0


def test_what_this_version_has_stored_needs_no_renewal(events: EventStore) -> None:
    keep_in_pieces(events, made_history(0))
    assert events.renew() == 0

"""Heartbeats, other events and e-mail addresses expire apart; what comes again then changes nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from collector.base.events import BEAT, SUPPORT, Event
from collector.base.times import DAY_MS
from collector.ingest import decode
from collector.store import EventStore
from collector.store.values import NO_PAGE, Cutoffs, Expired, Expiry
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import (
    NOW,
    OTHER_SOURCE,
    SOURCE,
    keep_in_pieces,
    made_history,
    pieces,
    without_late_beats,
)

MIDDLE = NOW - 20 * DAY_MS


def quiet(_: int) -> None:
    """No progress."""


def expire(store: EventStore, beats: int = 0, events: int = 0, emails: int = 0) -> Expired:
    return store.expire(Cutoffs(beats, events, emails), NOW, quiet)


def is_old(event: Event) -> bool:
    return event.received < MIDDLE


@pytest.mark.parametrize("kind", ["beats", "events"])
def test_heartbeats_and_other_events_expire_apart(events: EventStore, kind: str) -> None:
    history = without_late_beats(made_history(0))
    keep_in_pieces(events, history)
    gone = [event for event in history if is_old(event) and (event.name == BEAT) == (kind == "beats")]
    whole = told_by(events)
    assert expire(events, **{kind: MIDDLE}) == Expired(**{kind: len(gone)})
    told, said = told_by(events), said_by([event for event in history if event not in gone])
    for name in ("events", "named", "events of instance", "events of run"):
        assert told[name] == said[name], name
    assert told["instances"] == whole["instances"]
    assert events.recount(quiet) == 0


@pytest.mark.parametrize("kind", ["beats", "events"])
def test_a_counter_of_what_is_all_there_is_made_anew(events: EventStore, kind: str) -> None:
    """A recount leaves alone what it cannot know, and no more than that."""
    history = without_late_beats(made_history(0))
    keep_in_pieces(events, history)
    told = told_by(events)
    expire(events, **{kind: MIDDLE})
    assert events.recount(quiet) == 0
    for name in ("active in 1", "active in 7", "active in 30", "retention", "new by week"):
        assert told_by(events)[name] == told[name], name


def test_an_address_expires_and_its_request_stays(events: EventStore) -> None:
    history = [event for event in made_history(0) if event.source == SOURCE]
    keep_in_pieces(events, history)
    asked = [event for event in history if event.name == SUPPORT]
    old = {event.id for event in asked if is_old(event)}
    runs = {run.id: run for run in events.find_runs(SOURCE, sorted({e.run for e in asked if e.run}))}
    assert expire(events, emails=MIDDLE) == Expired(emails=len(old))
    shown = "".join(event.body for event in events.events_named(SOURCE, SUPPORT, NO_PAGE, 1000))
    exported = "".join(body for piece in events.export() for _, body in piece)
    for event in asked:
        assert event.fact
        for text in (shown, exported):
            assert (f'"email":"{event.fact.email}"' in text) == (event.id not in old)
            assert f'"reference":"{event.fact.reference}"' in text
    for run in events.find_runs(SOURCE, sorted(runs)):
        (latest,) = [event for event in asked if event.run == run.id and event.time == run.asked]
        assert (run.email is None) == (latest.id in old)
        assert (run.asked, run.reference) == (runs[run.id].asked, runs[run.id].reference)
    assert expire(events, emails=MIDDLE) == Expired()
    assert events.keep(asked) == 0


def test_an_address_in_a_request_of_no_run_expires_too(events: EventStore) -> None:
    told = {"event": SUPPORT, "anonymousId": "a", "properties": {"email": "ada@example.org"}}
    old = decode.read_event(told, "track", SOURCE, MIDDLE - DAY_MS)
    events.keep([old])
    assert old.run is None
    assert expire(events, emails=MIDDLE) == Expired(emails=1)
    (changed,) = events.events_named(SOURCE, SUPPORT, NO_PAGE, 10)
    assert "ada" not in changed.body


def test_a_request_that_another_source_got_later_keeps_its_address(events: EventStore) -> None:
    history = [event for event in made_history(0) if event.source == SOURCE and event.name == SUPPORT]
    old = next(event for event in history if is_old(event))
    later = old._replace(source=OTHER_SOURCE, received=NOW)
    keep_in_pieces(events, [old, later])
    assert expire(events, emails=MIDDLE) == Expired(emails=1)
    (stays,) = events.events_named(OTHER_SOURCE, SUPPORT, NO_PAGE, 10)
    (changed,) = events.events_named(SOURCE, SUPPORT, NO_PAGE, 10)
    assert stays.body == old.body
    assert '"email"' not in changed.body


@pytest.mark.parametrize("seed", range(3))
def test_what_comes_again_after_it_expired_changes_nothing(events: EventStore, seed: int) -> None:
    chance = random.Random(seed)
    kept: list[Event] = []
    cutoffs = [0, 0]
    for piece in pieces(made_history(seed, 240), 40):
        events.keep(piece)
        kept += piece
        if chance.random() < 0.7:
            cutoffs[chance.randrange(2)] = chance.choice(kept).received
            expire(events, beats=cutoffs[0], events=cutoffs[1])
        both = [told_by(events, source) for source in (SOURCE, OTHER_SOURCE)]
        for again in (chance.sample(kept, 30), kept):
            assert events.keep(again) == 0
            assert [told_by(events, source) for source in (SOURCE, OTHER_SOURCE)] == both


def test_what_was_still_uncounted_when_it_expired_is_known_too(events: EventStore) -> None:
    history = made_history(0)
    events.keep(history)
    expire(events, beats=NOW + 1, events=NOW + 1)
    told = told_by(events)
    assert events.keep(history) == 0
    assert told_by(events) == told


def beats_of(history: Sequence[Event]) -> list[Event]:
    return [event for event in history if event.name == BEAT and event.source == SOURCE]


def test_a_heartbeat_that_comes_only_after_its_time_counts(events: EventStore) -> None:
    """Its slot is empty, so it was not here."""
    history = [event for event in made_history(0) if event.source == SOURCE]
    old = [event for event in beats_of(history) if is_old(event)]
    late, rest = old[0], [event for event in history if event is not old[0]]
    slot = late.time // (6 * 3_600_000)
    assert all(e.time // (6 * 3_600_000) != slot for e in rest if e.who == late.who and e.name == BEAT)
    keep_in_pieces(events, rest)
    expire(events, beats=MIDDLE)
    before = told_by(events)["instances"]
    assert events.keep([late]) == 1
    told = told_by(events)["instances"]
    assert late.who is not None
    assert told[late.who][5] == before[late.who][5] + 1
    expire(events, beats=MIDDLE)
    assert events.keep([late]) == 0


def test_another_source_may_bring_its_whole_history(events: EventStore) -> None:
    """Nothing of it has expired here."""
    history = made_history(0)
    keep_in_pieces(events, history)
    expire(events, beats=NOW + 1, events=NOW + 1)
    moved = [event._replace(source=9) for event in history]
    assert events.keep(moved) == len(moved)
    assert told_by(events, 9) == said_by(moved, 9)


def test_a_store_says_when_something_expired_last(events: EventStore) -> None:
    history = without_late_beats(made_history(0))
    assert events.last_expiry() == Expiry()
    keep_in_pieces(events, history)
    expired = expire(events, beats=MIDDLE, events=MIDDLE)
    assert expired.deleted == sum(map(is_old, history))
    assert events.last_expiry() == Expiry(NOW, NOW, expired)
    events.expire(Cutoffs(MIDDLE, MIDDLE), NOW + 5, quiet)
    assert events.last_expiry() == Expiry(NOW + 5, NOW, expired)

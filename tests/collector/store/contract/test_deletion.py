"""What is deleted is gone from every answer, and everything else is as before."""

from __future__ import annotations

from hashlib import sha256

import pytest

from collector.store import EventStore
from collector.store.usage import HOUR_MS
from collector.store.values import Cutoffs, Expired, Forgotten
from tests.collector.store.contract import plain
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import (
    INSTANCES,
    KEYS,
    NOW,
    OTHER_SOURCE,
    SOURCE,
    TODAY,
    keep_in_pieces,
    made_history,
    without_late_beats,
)


def quiet(_: int) -> None:
    """No progress."""


class Enough(Exception):  # noqa: N818 - an outcome
    """Whoever watches the progress has seen enough."""


@pytest.mark.parametrize("seed", range(2))
def test_a_forgotten_instance_is_in_no_answer(events: EventStore, seed: int) -> None:
    """Also where it told something of another's run."""
    history = made_history(seed)
    keep_in_pieces(events, history)
    for who in INSTANCES[:2]:
        gone = [event for event in history if event.source == SOURCE and event.who == who]
        told = {event.run for event in gone if event.run}
        history = [event for event in history if event not in gone]
        done = events.forget(SOURCE, who)
        assert (done.events, done.instances, done.runs) == (len(gone), 1, len(told))
        assert done.digest == sha256(b"".join(sorted(event.id for event in gone))).hexdigest()
    for source in (SOURCE, OTHER_SOURCE):
        assert told_by(events, source) == said_by(history, source)
    assert events.forget(SOURCE, INSTANCES[0]) == Forgotten()
    assert events.forget(SOURCE, b"unknown".rjust(16)) == Forgotten(0, 0, 0, 0, sha256().hexdigest())


def test_whoever_was_forgotten_may_come_back(events: EventStore) -> None:
    history = made_history(0)
    keep_in_pieces(events, history)
    events.forget(SOURCE, INSTANCES[0])
    keep_in_pieces(events, history)
    assert told_by(events) == said_by(history)


def test_the_events_of_a_key_are_removed_with_all_that_they_were_counted_in(events: EventStore) -> None:
    history = made_history(0)
    keep_in_pieces(events, history)
    since, *_, until = [event.received for event in history if event.key == KEYS[0]][10:40]
    gone = [event for event in history if event.key == KEYS[0] and since <= event.received < until]
    seen: list[int] = []
    assert events.remove(KEYS[0], since, until, seen.append) == len(gone) == seen[-1] > 0
    history = [event for event in history if event not in gone]
    for source in (SOURCE, OTHER_SOURCE):
        assert told_by(events, source) == said_by(history, source)
    assert events.remove(KEYS[0], since, until, quiet) == 0
    everything = [event for event in history if event.key == KEYS[0]]
    assert events.remove(KEYS[0], 0, NOW + 1, quiet) == len(everything)
    assert told_by(events) == said_by([event for event in history if event.key != KEYS[0]])


def test_expired_events_are_gone_and_numbers_by_day_stay(events: EventStore) -> None:
    history = without_late_beats(made_history(0))
    keep_in_pieces(events, history)
    whole = told_by(events)
    before = history[len(history) // 2].received
    old = [event for event in history if event.received < before]
    left = [event for event in history if event.received >= before]
    seen: list[int] = []
    assert events.expire(Cutoffs.all_at(before), NOW, seen.append).deleted == len(old) == seen[-1] > 0
    told, said = told_by(events), said_by(left)
    for name in ("events", "named", "events of instance", "events of run"):
        assert told[name] == said[name], name
    for name in ("active in 1", "active in 7", "active in 30", "retention", "new by week"):
        assert told[name] == whole[name], name
    assert told[f"by day {TODAY - 29}"] == whole[f"by day {TODAY - 29}"]
    assert {usage.hour for usage in events.usage_since(0)} == {event.received // HOUR_MS for event in left}
    assert events.expire(Cutoffs.all_at(before), NOW, quiet) == Expired()


def test_who_has_no_event_left_expires_and_who_has_one_stays_whole(events: EventStore) -> None:
    """Its times and counts are those of all that it ever sent."""
    history = [event for event in made_history(0) if event.source == SOURCE]
    keep_in_pieces(events, history)
    fleet = plain.instances_of(history)
    last = min(one.last for one in fleet)
    oldest = next(one for one in fleet if one.last == last)
    before = max(event.received for event in history if event.who == oldest.who) + 1
    whole = told_by(events)["instances"]
    events.expire(Cutoffs.all_at(before), NOW, quiet)
    told = told_by(events)["instances"]
    young = {event.who for event in history if event.received >= before}
    assert told == {who: row if who in young else None for who, row in whole.items()}
    assert told[oldest.who] is None
    assert any(told.values())


def test_the_words_of_what_expired_are_gone(events: EventStore) -> None:
    history = made_history(0)
    keep_in_pieces(events, history)
    assert "1.0" in str(told_by(events))
    assert events.expire(Cutoffs.all_at(NOW + 1), NOW, quiet).deleted == len(history)
    told = told_by(events)
    for word in ("1.0", "debian", "Deployed", "install.sh", "example.org"):
        assert word not in str({**told, "named": None, "events of instance": None}), word
    assert any(counts for counts in told[f"by day {TODAY - 29}"].values())


@pytest.mark.parametrize("deletion", ["expire", "remove"])
def test_a_deletion_that_was_interrupted_is_finished_by_the_next(events: EventStore, deletion: str) -> None:
    history = made_history(0, 600)
    keep_in_pieces(events, history, 200)

    def delete(progress: object) -> int:
        if deletion == "expire":
            return events.expire(Cutoffs.all_at(NOW + 1), NOW, progress).deleted  # type: ignore[arg-type]
        return events.remove(KEYS[0], 0, NOW + 1, progress)  # type: ignore[arg-type]

    def interrupt(count: int) -> None:
        raise Enough(count)

    with pytest.raises(Enough):
        delete(interrupt)
    delete(quiet)
    left = [] if deletion == "expire" else [event for event in history if event.key != KEYS[0]]
    assert told_by(events)["instances"] == said_by(left)["instances"]
    assert told_by(events)["runs"] == said_by(left)["runs"]
    assert sum(map(len, events.export())) == len(left)

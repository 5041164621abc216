"""Each environment has its own answers, whatever is deleted, expired or counted anew."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from collector.base.environments import ALL, PRODUCTION
from collector.base.events import Event
from collector.base.times import DAY_MS
from collector.store import EventStore
from collector.store.values import Cutoffs
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import (
    INSTANCES,
    KEYS,
    NOW,
    SOURCE,
    TODAY,
    keep_in_pieces,
    made_history,
)

ASKED = (PRODUCTION, ALL, "ci", "internal")


@pytest.fixture
def history(events: EventStore) -> list[Event]:
    """What is in the store."""
    made = made_history(0, environments=True)
    keep_in_pieces(events, made)
    return made


def check(events: EventStore, kept: Sequence[Event], asked: Sequence[str] = ASKED) -> None:
    for environment in asked:
        assert told_by(events.within(environment)) == said_by(kept, environment=environment), environment


def test_each_environment_is_counted_and_listed_by_itself(events: EventStore, history: list[Event]) -> None:
    check(events, history)
    assert len({str(said_by(history, environment=environment)) for environment in ASKED}) == len(ASKED)
    assert events.recount(lambda _: None) == 0


def test_what_is_forgotten_or_removed_is_taken_back_where_it_counted(
    events: EventStore, history: list[Event]
) -> None:
    who = next(e.who for e in history if e.fact and e.fact.environment and e.source == SOURCE) or b""
    assert who in INSTANCES
    events.forget(SOURCE, who)
    left = [event for event in history if (event.source, event.who) != (SOURCE, who)]
    check(events, left, ["ci", PRODUCTION])
    events.remove(KEYS[0], 0, NOW + 1, lambda _: None)
    check(events, [event for event in left if event.key != KEYS[0]], [ALL, "internal"])


def test_numbers_by_day_stay_apart_when_their_events_expire(events: EventStore, history: list[Event]) -> None:
    def numbers(environment: str) -> object:
        store = events.within(environment)
        runs = store.run_counts_by_day(SOURCE, 0, TODAY - 5, NOW)
        days = {day: (n.succeeded, n.failed, n.given_up) for day, n in runs.items() if n.started}
        weeks = store.new_instances_by_week(SOURCE, 0), store.retention_by_week(SOURCE, 0)
        return days, store.active_by_day(SOURCE, 7, TODAY - 40, TODAY), weeks

    before = [numbers(environment) for environment in ASKED]
    assert len({str(one) for one in before}) == len(ASKED)
    expired = events.expire(Cutoffs.all_at(NOW + DAY_MS), NOW + DAY_MS, lambda _: None)
    assert expired.deleted == len(history)
    assert [numbers(environment) for environment in ASKED] == before

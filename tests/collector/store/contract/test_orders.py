"""However events come in, the answers are the same: in any order and grouping, again, and late."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from collector.base.events import Event
from collector.base.times import DAY_MS
from collector.store import EventStore
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import NOW, made_history

SIZE = 50
EXAMPLES, SLOW_EXAMPLES = 6, 60
CLICKHOUSE_EXAMPLES = 8  # which takes long for a question
FIRST_SOURCE = 1000


class Arrival(NamedTuple):
    """A history, and the calls in which its events come; after some of them, what waits is counted."""

    history: list[Event]
    calls: list[list[Event]]
    folds: set[int]

    def of_source(self, source: int) -> Arrival:
        """The same in a source of its own."""
        own = [event._replace(source=source) for event in self.history]
        calls = [[event._replace(source=source) for event in call] for call in self.calls]
        return Arrival(own, calls, self.folds)


@st.composite
def arrivals(draw: st.DrawFn) -> Arrival:
    days_late = st.dictionaries(st.integers(0, SIZE - 1), st.integers(1, 40), max_size=10)
    late = draw(days_late)
    history = [
        event._replace(received=min(NOW, event.received + late.get(number, 0) * DAY_MS))
        for number, event in enumerate(made_history(draw(st.integers(0, 20)), SIZE))
    ]
    again = draw(st.lists(st.integers(0, SIZE - 1), max_size=SIZE))
    order = draw(st.permutations([*range(SIZE), *again]))
    calls, start = list[list[Event]](), 0
    while start < len(order):
        end = start + draw(st.integers(1, SIZE))
        calls.append([history[number] for number in order[start:end]])
        start = end
    return Arrival(history, calls, draw(st.sets(st.integers(0, len(calls) - 1))))


@pytest.fixture
def sources() -> Iterator[int]:
    """Numbers of sources, one for each history: a new store for each would take long."""
    return count(FIRST_SOURCE)


@pytest.mark.once
@pytest.mark.timeout(900)
def test_the_answers_are_the_same_however_events_come_in(
    events: EventStore, sources: Iterator[int], slow: bool
) -> None:
    longest = SLOW_EXAMPLES if events.counts_apart else CLICKHOUSE_EXAMPLES

    @settings(
        max_examples=longest if slow else EXAMPLES,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if slow else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(arrivals())
    def check(arrival: Arrival) -> None:
        mine = arrival.of_source(source := next(sources))
        fresh = 0
        for number, call in enumerate(mine.calls):
            fresh += events.keep(call)
            if number in mine.folds:
                events.fold()
        assert fresh == SIZE
        assert told_by(events, source) == said_by(mine.history, source)

    check()

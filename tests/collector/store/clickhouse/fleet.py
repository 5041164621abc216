"""What is told of a fleet."""

from __future__ import annotations

from typing import Any

from collector.store import EventStore
from tests.collector.store.contract.answers import FIRST, LAST
from tests.collector.store.contract.history import INSTANCES as IDS
from tests.collector.store.contract.history import NOW, SOURCE


def quiet(_: int) -> None:
    """No progress."""


def fleet_of(store: EventStore) -> list[Any]:
    """What is told of all instances together."""
    census = store.census(SOURCE, NOW)
    return [
        [+census.active, +census.states, +census.versions, +census.first_days, +census.last_days],
        [store.active_by_day(SOURCE, span, FIRST, LAST) for span in (1, 7, 30)],
        [store.new_instances_by_week(SOURCE, 0), store.retention_by_week(SOURCE, 0)],
        store.instances_between(SOURCE, IDS[0], IDS[-1], 100),
    ]

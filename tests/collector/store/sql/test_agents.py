"""Versions of the agent, as the heartbeats say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import pytest

from collector.base.events import Event
from collector.base.times import DAY_MS
from collector.store import Stores
from collector.store.beats import narrow_beat
from collector.store.sql import agents
from tests.collector.store.contract.history import OTHER_SOURCE, SOURCE, TODAY, keep_in_pieces, made_history

pytestmark = pytest.mark.once
HISTORY = made_history(3, 600)


def said_of(kept: Sequence[Event], source: int, day: int) -> Counter[str]:
    """In plain Python: each instance by the version in its last heartbeat of the day."""
    last: dict[bytes, tuple[bytes, str]] = {}
    for event in kept:
        made = int.from_bytes(event.id[:6], "big") // DAY_MS
        if event.source == source and event.who and narrow_beat(event) and made == day:
            version = json.loads(event.body)["context"]["library"]["version"]
            last[event.who] = max(last.get(event.who, (b"", "")), (event.id, version))
    return Counter(version for _, version in last.values())


def test_each_instance_counts_by_its_last_heartbeat_of_a_day(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_in_pieces(stores.events, HISTORY, 100)
    days = range(TODAY - 44, TODAY + 1)
    for source in (SOURCE, OTHER_SOURCE):
        told = {day: stores.events.agents_on(source, day) for day in days}
        assert told == {day: said_of(HISTORY, source, day) for day in days}
    assert {version for day in days for version in said_of(HISTORY, SOURCE, day)} == {"0.1.0", "0.2.0"}
    monkeypatch.setattr(agents, "LOOKED_AT", 1)
    assert {stores.events.agents_on(SOURCE, day).total() for day in days} == {0, 1}

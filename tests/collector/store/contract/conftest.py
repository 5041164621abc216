"""The event store that a test asks; once for each engine in `BOTH` of tests/collector/conftest.py."""

from __future__ import annotations

import pytest

from collector.store import EventStore, Stores


@pytest.fixture
def events(stores: Stores) -> EventStore:
    return stores.events

"""What the page says while events wait to be counted."""

from __future__ import annotations

import pytest

from collector.admin import keys
from collector.base.times import write_time
from collector.ingest import decode
from collector.store import Stores
from collector.store.sql import folding
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import failed_run


def test_a_view_says_until_when_all_is_counted(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "LITTLE", 0)
    keys.add_key(stores.control, "product", NOW)
    events = [decode.read_event(one, "track", 1, NOW) for one in failed_run()]
    stores.events.keep(events[:1])
    stores.events.fold()
    stores.events.keep(events[1:])
    client = PageClient(stores)
    assert "Counted until" in client.get("/").text
    assert client.get("/installs.json").json()["countedUntil"] == write_time(events[1].received)
    stores.events.fold()
    assert "Counted until" not in client.get("/").text
    assert client.get("/installs.json").json()["countedUntil"] is None


def test_a_view_counts_a_few_events_itself(stores: Stores) -> None:
    keys.add_key(stores.control, "product", NOW)
    stores.events.keep(decode.read_event(one, "track", 1, NOW) for one in failed_run())
    shown = PageClient(stores).get("/")
    assert shown.status == 200
    assert "Counted until" not in shown.text
    assert stores.events.fold() == 0

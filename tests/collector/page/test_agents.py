"""Which versions of the agent send, on the page."""

from __future__ import annotations

from collections import Counter

from collector.admin.keys import source_named
from collector.page.period import iso
from collector.store import Stores
from collector.store.beats import narrow_beat
from tests.collector.page.client import PageClient
from tests.collector.store.contract.history import SOURCE, TODAY, keep_in_pieces
from tests.collector.store.sql.test_agents import HISTORY, said_of


def test_the_versions_are_those_of_the_last_whole_day(client: PageClient, page_stores: Stores) -> None:
    with page_stores.control.transaction() as tx:
        assert source_named(tx, "product", 0) == SOURCE
    early = [event for event in HISTORY if event.time // (24 * 3_600_000) < TODAY - 3]
    keep_in_pieces(page_stores.events, early, 100)
    for day in (TODAY - 9, TODAY - 12):
        address = f"/instances.json?from={iso(TODAY - 20)}&to={iso(day)}&table=agents"
        rows = client.get(address).json()["tables"]["agents"]
        told = Counter({row["version"]: row["instances"] for row in rows})
        assert told == said_of(early, SOURCE, day) != Counter()
    assert client.get("/instances.json?table=agents").json()["tables"]["agents"] == []
    keep_in_pieces(page_stores.events, HISTORY, 100)
    assert client.get("/instances.json?table=agents").json()["tables"]["agents"]
    client.now = max(event.time for event in HISTORY if narrow_beat(event)) + 1
    assert client.get("/instances.json?table=agents").json()["tables"]["agents"]  # of today, or of yesterday
    before = f"/instances.json?from={iso(TODAY - 80)}&to={iso(TODAY - 60)}&table=agents"
    assert client.get(before).json()["tables"]["agents"] == []  # not those of today
    assert "Versions of Rollcall" in client.get("/instances").text

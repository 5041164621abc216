"""The page shows what was rejected, and why."""

from __future__ import annotations

from collections.abc import Callable

from collector.admin.keys import source_named
from collector.base.times import DAY_MS
from collector.ingest.rejects import Counts, write_counts
from collector.store import Stores
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import event


def reject(stores: Stores, *, days_ago: int = 0, library: str = "shop", count: int = 1) -> None:
    with stores.control.transaction() as tx:
        source = source_named(tx, "product", 0)
    counts = Counts()
    counts.add(source, "no_event", library, count, "a track event needs a name in `event`")
    write_counts(stores.control, counts, NOW - days_ago * DAY_MS)


def test_rejects_are_shown_with_their_reason(stores: Stores) -> None:
    client = PageClient(stores)
    reject(stores, count=1200)
    reject(stores, library="<b>odd", count=3)
    reject(stores, library="", count=2)
    shown = client.get("/rejects").text
    assert "1,205 events could not be taken" in shown
    assert "a track event needs a name in `event`" in shown
    assert "&lt;b&gt;odd" in shown
    assert "unknown" in shown
    told = client.get("/rejects.json").json()
    assert told["rejected"] == 1205
    assert [row["events"] for row in told["tables"]["rejects"]] == [1200, 3, 2]
    assert client.get("/rejects.csv").text.startswith(
        '"code","library","events","message","last"\r\n"no_event","shop",1200,'
    )


def test_only_those_of_the_period_and_the_source_count(
    page_stores: Stores, client: PageClient, send: Callable[..., None]
) -> None:
    send(event("Instance Active"), source="another")
    reject(page_stores, days_ago=40)
    assert client.get("/rejects.json?source=product&period=week").json()["rejected"] == 0
    assert client.get("/rejects.json?source=product&period=quarter").json()["rejected"] == 1
    assert client.get("/rejects.json?source=another&period=quarter").json()["rejected"] == 0
    assert "No event was rejected" in client.get("/rejects?source=another").text


def test_the_overview_says_so_even_before_the_first_good_event(
    page_stores: Stores, client: PageClient
) -> None:
    assert "No events yet" in client.get("/").text
    reject(page_stores)
    shown = client.get("/").text
    assert "1 event was rejected" in shown
    assert 'href="/rejects"' in shown

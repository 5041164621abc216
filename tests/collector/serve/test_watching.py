"""A running collector sends alerts and publishes numbers by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.base.times import DAY_MS, write_time
from collector.page.period import iso
from collector.public.numbers import set_public
from collector.public.publisher import monday_of
from collector.store import open_stores
from tests.collector.alerts.conftest import Sink, channel_file, sink
from tests.collector.running import Collector, event
from tests.wait import until

__all__ = ["sink"]
EMAIL = "ada@example.org"


@pytest.mark.once
def test_a_collector_tells_who_waits_for_help_and_publishes_the_week(
    start: Callable[..., Collector], tmp_path: Path, sink: Sink
) -> None:
    database = f"sqlite:///{tmp_path}/collector.db"
    settings = {
        "ROLLCALL_COLLECTOR_ALERTS_FILE": str(channel_file(tmp_path, sink.url)),
        "ROLLCALL_COLLECTOR_ALERTS_DIGEST": "off",
        "ROLLCALL_COLLECTOR_PUBLIC_URL": "https://rollcall.example",
    }
    collector = start(database, **settings)
    asked = write_time(int(time.time() * 1000) - 5 * 3_600_000)
    context = {"installation": {"id": "22222222-2222-4222-8222-222222222222"}}
    told = {"event": "Installation Support", "timestamp": asked, "context": context}
    assert collector.post("/v1/track", event(**told, properties={"email": EMAIL})).status == 200
    collector.verb("demo-data", "--instances", "40")
    stores = open_stores(database)
    set_public(stores.control, "demo", 0, public=True, by="ada")
    stores.close()
    collector.stop()
    again = start(database, **settings)
    until(lambda: "test: Somebody is waiting for help" in sink.titles)
    text = sink.texts[sink.titles.index("test: Somebody is waiting for help")]
    assert text.startswith(
        "1 person is waiting for help, the first one for 5 hours.\nhttps://rollcall.example/"
    )
    assert EMAIL not in text
    # Those before are published first, and the week may change meanwhile.
    monday = iso(monday_of(int(time.time() * 1000) // DAY_MS))

    def instances() -> int:
        weeks = again.get("/public/demo.json").json()["weeks"]
        return sum(one["active_instances"] for one in weeks if one["week"] == monday)

    assert until(instances, why="the week is published") >= 10

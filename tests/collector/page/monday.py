"""A page over a made-up fleet, and the same events read plainly."""

from __future__ import annotations

from typing import Any

from collector.admin.keys import source_named
from collector.base.events import Event
from collector.base.times import DAY_MS
from collector.ingest import decode
from collector.store import Stores
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.made_fleet import made_fleet
from tests.collector.store.contract import plain
from tests.collector.store.contract.plain import PlainInstance, PlainRun

TODAY = NOW // DAY_MS
FIRST = TODAY - 29
Row = dict[str, Any]


class Monday:
    """A page over a made-up fleet, and the same events read plainly."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        with stores.control.transaction() as tx:
            source = source_named(tx, "product", 0)
        sent = [decode.read_event(one, "", source, NOW) for one in made_fleet(200)]
        self.kept: list[Event] = list({event.id: event for event in sent}.values())
        stores.events.keep(sent)
        assert len(self.kept) < len(sent)  # clones say some things twice
        while stores.events.fold():
            pass
        self.client = PageClient(stores)
        self.fleet: list[PlainInstance] = plain.instances_of(self.kept)
        self.runs: list[PlainRun] = sorted(plain.runs_of(self.kept), key=lambda run: -(run.began or 0))

    def json(self, address: str) -> Any:
        reply = self.client.get(address)
        assert reply.status == 200, reply.text
        return reply.json()

    def failed(self, *versions: str) -> list[PlainRun]:
        return [run for run in self.runs if run.place and run.version in versions]

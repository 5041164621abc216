"""One collector's watcher in a process of its own, with a clock and a disk that the test sets.

It reads a line of JSON for each step. With `hold` it stops before it sends anything, with a message claimed.

    python -m tests.collector.alerts.watching DATABASE FILE
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from collector.alerts.channels import Channel, send_to
from collector.alerts.watcher import Watcher
from collector.ingest import disk as disk_module
from collector.ingest.disk import DiskWatch
from collector.settings import read_settings
from collector.store import EventStore, StoreError, Stores, open_stores
from collector.store.values import Space
from tests.wait import PATIENCE


@dataclass
class Told:
    """What the test says of the world."""

    now: int = 0
    free: int = 0
    away: bool = False
    hold: bool = False


class Changed:
    """The event store, with a disk that the test fills, and which goes away when the test says so."""

    def __init__(self, events: EventStore, told: Told) -> None:
        self._events, self._told = events, told

    def __getattr__(self, name: str) -> Any:
        if self._told.away:
            raise StoreError("away")
        return getattr(self._events, name)

    def space(self) -> Space:
        if self._told.away:
            raise StoreError("away")
        return Space(0, self._told.free)


def main(database: str, file: str) -> None:
    told, stores = Told(), open_stores(database)
    settings = read_settings(
        {
            "ROLLCALL_COLLECTOR_DB": database,
            "ROLLCALL_COLLECTOR_ALERTS_FILE": file,
            "ROLLCALL_COLLECTOR_PUBLIC_URL": "https://rollcall.example",
        }
    )

    def send(channel: Channel, kind: str, title: str, body: str) -> bool:
        if told.hold:
            say("sending")
            sys.stdin.readline()
        return send_to(channel, kind, title, body)

    disk_module.LOOK_SECONDS = PATIENCE  # on a busy machine a step may not go by what the disk had before
    changed: Any = Changed(stores.events, told)
    watched, disk = Stores(stores.control, changed), DiskWatch(settings, changed)
    watcher = Watcher(settings, watched, disk, now=lambda: told.now / 1000, send=send)
    for line in sys.stdin:
        told.__dict__.update(json.loads(line))
        watcher.watch()
        say("done")


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

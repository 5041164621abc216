"""The history of a fleet, where one instance has more installs than anybody makes."""

from __future__ import annotations

from typing import Any

from collector.base.events import BEAT, STARTED, Event
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.store import Stores
from collector.store.history import MOST_INSTALLS, on_day
from tests.collector.store.contract.history import NOW, SOURCE, TODAY


def told(name: str, ago: int, **more: Any) -> Event:
    fields = {"event": name, "anonymousId": "one", "messageId": f"{name} {ago}", **more}
    fields["timestamp"] = write_time(NOW - ago)
    return decode.read_event(fields, "track", SOURCE, NOW, settled=True)


def install(number: int, ago: int) -> Event:
    system = {"os": {"name": "debian", "version": "12"}, "installation": {"id": f"run {number}"}}
    return told(STARTED, ago, context={"app": {"version": f"1.{number}"}, **system})


def test_of_the_installs_of_one_instance_the_latest_count(stores: Stores) -> None:
    half_a_day, many = DAY_MS // 2, MOST_INSTALLS + 20
    stores.events.keep([told(BEAT, ago * DAY_MS) for ago in range(2 * MOST_INSTALLS)])
    stores.events.keep([install(many - ago, ago * half_a_day) for ago in range(many)])
    history = stores.events.fleet_history(SOURCE)
    for ago, version, system in (
        (0, f"1.{many}", "debian 12"),
        (MOST_INSTALLS // 2 - 1, f"1.{many - MOST_INSTALLS + 2}", "debian 12"),
        (MOST_INSTALLS // 2, "", ""),
    ):
        day = TODAY - ago
        assert (on_day(history.versions, day), on_day(history.systems, day)) == ({version: 1}, {system: 1})

"""The history of a fleet, where one instance has more installs than anybody makes."""

from __future__ import annotations

from typing import Any

import pytest

from collector.base.events import BEAT, STARTED, UPGRADED, Event
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.store import Stores
from collector.store.history import MOST_INSTALLS, on_day
from collector.store.sql import history as questions
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


def test_upgrades_are_read_some_at_a_time(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's client has all that a query finds in memory, and one upgrade may have 32 KB.

    They are not looked for each of these times, for those of one moment would all be gone through again.
    """
    read, sizes = questions.HistoryQuestions._all, list[int]()

    def noting(part: Any, sql: str, *values: Any) -> list[Any]:
        found: list[Any] = read(part, sql, *values)
        if "FROM events" in sql:
            sizes.append(len(found))
        return found

    monkeypatch.setattr(questions.HistoryQuestions, "_all", noting)
    monkeypatch.setattr(questions, "FOUND_AT_ONCE", 4)
    monkeypatch.setattr(questions, "UPGRADES_AT_ONCE", 2)
    half_a_day, many = DAY_MS // 2, 7
    stores.events.keep([told(BEAT, ago * DAY_MS) for ago in range(many)])
    upgrades = [told(UPGRADED, ago * half_a_day, properties={"to": f"2.{many - ago}"}) for ago in range(many)]
    stores.events.keep(upgrades)
    history = stores.events.fleet_history(SOURCE)
    for ago, version in ((0, f"2.{many}"), (1, f"2.{many - 2}"), (many // 2, "2.1"), (many // 2 + 1, "")):
        assert on_day(history.versions, TODAY - ago) == {version: 1}
    assert sizes == [4, 2, 2, 3, 2, 1, 0]

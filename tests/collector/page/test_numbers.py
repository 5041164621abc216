"""The numbers on the page equal an independent count over the raw events."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.admin.keys import source_named
from collector.base.events import Event
from collector.base.times import DAY_MS
from collector.page.period import day_of, iso
from collector.store import ControlStore, Stores, open_database
from collector.store.database import Database
from collector.store.spans import week_of
from collector.store.sql.store import SqlEventStore
from tests.collector.cluster import Cluster
from tests.collector.page import histories
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.histories import active, land, outcomes, sent

TODAY = NOW // DAY_MS
HISTORY = st.lists(sent(), min_size=1, max_size=40, unique_by=lambda event: event["messageId"])
DAYS = st.sampled_from([1, 7, 30, 91, 120])


class Ground:
    """One database and one page for all examples; each example is a source of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.stores = Stores(ControlStore(database), SqlEventStore(database))
        self.client = PageClient(self.stores)
        self._names = itertools.count()

    def check(self, history: Sequence[dict[str, Any]], chunk: int, days: int) -> None:
        name = f"product {next(self._names)}"
        with self.stores.control.transaction() as tx:
            source = source_named(tx, name, 0)
        kept = land(self.stores, source, history, chunk)
        check_all(self.client, quote(name), kept, TODAY - days + 1)


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with closing(open_database(f"sqlite:///{tmp_path_factory.mktemp('numbers')}/page.db")) as database:
        yield Ground(database)


def check_all(client: PageClient, name: str, kept: Sequence[Event], first: int) -> None:
    period = f"?source={name}&from={iso(first)}&to={iso(TODAY)}"
    check_overview(client.get(f"/overview.json{period}").json(), kept, first)
    check_instances(client.get(f"/instances.json{period}").json(), kept, first)
    check_failures(client.get(f"/installs.json{period}").json(), kept, first)
    for past in (TODAY - 3, TODAY - 20):
        days = f"?source={name}&from={iso(past - 4)}&to={iso(past)}"
        check_past(client.get(f"/overview.json{days}").json(), kept, past)
        check_new(client.get(f"/instances.json{days}&state=new").json(), kept, past)


def check_overview(shown: dict[str, Any], kept: Sequence[Event], first: int) -> None:
    for name, span in (("24h", 1), ("7d", 7), ("30d", 30)):
        now = active(kept, NOW - span * DAY_MS, NOW)
        last = TODAY - max(span, 7)
        then = active(kept, (last - span + 1) * DAY_MS - 1, (last + 1) * DAY_MS - 1)
        expected = {"established": now[True], "short_lived": now[False], "change": now[True] - then[True]}
        assert {key: shown["active"][name][key] for key in expected} == expected
    counted = outcomes(kept, first, TODAY)
    for name in ("started", "succeeded", "failed", "given_up", "running"):
        assert shown["installs"][name] == counted[name], name
    over = counted["started"] - counted["running"]
    assert shown["installs"]["success_rate"] == (counted["succeeded"] / over if over else None)
    for row in shown["tables"]["active"][:-1]:
        day = day_of(row["day"])
        for name, span in (("active_24h", 1), ("active_7d", 7), ("active_30d", 30)):
            level = active(kept, (day - span + 1) * DAY_MS - 1, (day + 1) * DAY_MS - 1)
            assert row[name] == level[True], (row["day"], name)
    for row in shown["tables"]["installs"]:
        edges = [day_of(day) for day in row["day"].split("/")]
        assert row["started"] == outcomes(kept, edges[0], edges[-1])["started"]


def check_instances(shown: dict[str, Any], kept: Sequence[Event], first: int) -> None:
    fleet = {who: times for who, (times, _) in histories.instances(kept).items()}
    lasting = [times for times in fleet.values() if histories.established(times)]
    since = first * DAY_MS
    assert shown["new"] == sum(min(times) >= since for times in lasting)
    assert shown["returning"] == sum(min(times) < since <= max(times) for times in lasting)
    assert shown["short_lived"] == len(fleet) - len(lasting)
    states = histories.states(kept)
    assert {name: shown[name] for name in ("beating", "silent", "gone", "never")} == {
        name: states[name] for name in ("beating", "silent", "gone", "never")
    }
    alive = sum(n for _, n in ((row["version"], row["instances"]) for row in shown["tables"]["versions"]))
    assert alive == active(kept, NOW - 30 * DAY_MS, NOW)[True]
    check_retention(shown["tables"]["retention"], kept)


def check_retention(rows: list[dict[str, Any]], kept: Sequence[Event]) -> None:
    for row in rows:
        week = week_of(day_of(row["week_of"]))
        mine = [
            beats
            for times, beats in histories.instances(kept).values()
            if histories.established(times) and week_of(min(times) // DAY_MS) == week
        ]
        assert row["instances"] == len(mine)
        for later in range(week_of(TODAY) - week + 1):
            share = sum(any(week_of(b // DAY_MS) == week + later for b in beats) for beats in mine) / len(
                mine
            )
            assert row[f"week_{later}"] == round(share, 4)


def check_failures(shown: dict[str, Any], kept: Sequence[Event], first: int) -> None:
    failed = outcomes(kept, first, TODAY)["failed"]
    rows = shown["tables"]["failures"]
    assert sum(row["runs"] for row in rows) == failed
    assert sum(row["failed"] for row in shown["tables"]["versions"]) == failed
    assert (
        sum(row["started"] for row in shown["tables"]["systems"]) == outcomes(kept, first, TODAY)["started"]
    )
    told = {(row["script"], row["line"]): (row["runs"], row["instances"]) for row in rows}
    assert told == histories.places(kept, first, TODAY)


def check_past(shown: dict[str, Any], kept: Sequence[Event], day: int) -> None:
    """A period that is over counts whole days."""
    for name, span in (("24h", 1), ("7d", 7), ("30d", 30)):
        level = active(kept, (day - span + 1) * DAY_MS - 1, (day + 1) * DAY_MS - 1)
        assert shown["active"][name]["established"] == level[True]
    assert shown["installs"]["started"] == outcomes(kept, day - 4, day)["started"]


def check_new(shown: dict[str, Any], kept: Sequence[Event], day: int) -> None:
    """Those first heard from in a period that is over, and no later."""
    firsts = [min(t) for t, _ in histories.instances(kept).values() if histories.established(t)]
    assert shown["new"] == sum(day - 4 <= first // DAY_MS <= day for first in firsts)
    assert len(shown["tables"]["instances"]) == shown["new"]


@given(history=HISTORY, chunk=st.integers(1, 30), days=DAYS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_numbers_equal_a_count_of_the_events_across_midnight_late_and_doubled(
    on_sqlite: Ground, history: list[dict[str, Any]], chunk: int, days: int
) -> None:
    on_sqlite.check(history, chunk, days)


@pytest.mark.needs("postgresql")
def test_numbers_equal_a_count_of_the_events_on_postgresql_too(cluster: Cluster, slow: bool) -> None:
    with closing(open_database(cluster.database())) as database:
        ground = Ground(database)

        @given(history=HISTORY, chunk=st.integers(1, 30), days=DAYS)
        @settings(max_examples=200 if slow else 15, suppress_health_check=[HealthCheck.too_slow])
        def check(history: list[dict[str, Any]], chunk: int, days: int) -> None:
            ground.check(history, chunk, days)

        check()


def test_installs_that_start_while_the_page_counts_do_no_harm(
    on_sqlite: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_sqlite.stores.control.transaction() as tx:
        source = source_named(tx, "busy", 0)
    number = itertools.count()

    def start() -> None:
        told = {"event": "Installation Started", "anonymousId": "a", "messageId": f"m{next(number)}"}
        context = {"app": {"version": str(number)}, "installation": {"id": f"run {number}"}}
        land(on_sqlite.stores, source, [{**told, "type": "track", "context": context}], 1)

    ask = on_sqlite.database.all

    def ask_while_another_starts(sql: str, *values: Any) -> Any:
        rows = ask(sql, *values)
        start()
        return rows

    start()
    monkeypatch.setattr(on_sqlite.database, "all", ask_while_another_starts)
    reply = on_sqlite.client.get("/installs.json?source=busy")
    assert reply.status == 200
    tables = reply.json()["tables"]
    assert sum(row["running"] for row in tables["systems"]) > tables["installs"][-1]["started"] > 1
    assert {row["given_up"] for row in (*tables["systems"], *tables["installs"])} == {0}


def test_the_count_beside_the_page_would_notice_a_wrong_number(on_sqlite: Ground) -> None:
    beat = {"type": "track", "event": "Instance Active", "anonymousId": "a", "context": {}}
    with on_sqlite.stores.control.transaction() as tx:
        source = source_named(tx, "alone", 0)
    kept = land(on_sqlite.stores, source, [{**beat, "messageId": "1"}], 1)
    shown = on_sqlite.client.get("/overview.json?source=alone&period=week").json()
    check_overview(shown, kept, TODAY - 6)
    shown["active"]["24h"]["short_lived"] += 1
    with pytest.raises(AssertionError):
        check_overview(shown, kept, TODAY - 6)

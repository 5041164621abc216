"""The questions of a Monday over larger fleets: the page says what SQL says of the same events.

A bad release, an outage, clones, the noise of a CI that does not say so, and of one that does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import Any

import pytest

from collector.admin.keys import source_named
from collector.base.environments import ALL, PRODUCTION
from collector.base.ids import as_uuid
from collector.base.times import DAY_MS
from collector.ingest import decode
from collector.store import Stores, open_stores
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.made_fleet import BAD, BAD_STEP, RELEASES, in_environment, made_fleet
from tests.collector.page.told_sql import Told

TODAY = NOW // DAY_MS
FIRST = TODAY - 89
# Where the moved download stands in each release; all other steps stay where they are.
MOVED = " ".join(f"WHEN version = '{version}' THEN {line}" for version, _, line in RELEASES)
# The page reads so many failures, the latest first.
MOST_FAILED = 10_000
CHUNK = 5000

pytestmark = pytest.mark.once


class Fleet:
    """A page over a fleet, and the same events as a table."""

    def __init__(self, stores: Stores, size: int, every: int) -> None:
        with stores.control.transaction() as tx:
            source = source_named(tx, "product", 0)
        sent = chain(
            made_fleet(size, every=every),
            in_environment(made_fleet(size // 4, 2, every), "ci"),
            in_environment(made_fleet(size // 10, 3, every), "dev"),
        )
        self.told = Told(NOW)
        some = []
        for one in chain(sent, [None]):
            if one is not None:
                some.append(decode.read_event(one, "", source, NOW))
            if one is None or len(some) == CHUNK:
                self.told.add(some)
                stores.events.keep(some)
                some = []
        while stores.events.fold():
            pass
        self.client = PageClient(stores)

    def json(self, address: str) -> Any:
        reply = self.client.get(address)
        assert reply.status == 200, reply.text
        return reply.json()


@pytest.fixture(scope="module", params=[1000, pytest.param(100_000, marks=pytest.mark.slow)])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    path = tmp_path_factory.mktemp("monday")
    with closing(open_stores(f"sqlite:///{path}/page.db")) as stores:
        yield Fleet(stores, request.param, 2 if request.param == 1000 else 14)


@pytest.fixture(params=[PRODUCTION, ALL, "ci"])
def env(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def here(env: str) -> str:
    """The condition that a row is of the environment."""
    return "1 = 1" if env == ALL else f"coalesce(env, 'production') = '{env}'"


def test_what_broke(fleet: Fleet, env: str) -> None:
    shown = fleet.json(f"/since.json?period=quarter&env={env}&version={BAD}")
    assert (shown["version"], shown["before"]) == (BAD, "1.9.0")
    rates = fleet.told.ask(
        "SELECT version, sum(done) * 1.0 / sum(done OR failed OR began <= :now - :day)"
        f" FROM installs WHERE {here(env)} AND began / :day >= (SELECT min(began) / :day FROM installs"
        f" WHERE version = '1.9.0' AND {here(env)}) GROUP BY version HAVING version IN ('{BAD}', '1.9.0')"
    )
    told = {BAD: shown["success_rate"]["value"], "1.9.0": shown["success_rate_before"]["value"]}
    assert told == {version: pytest.approx(rate) for version, rate in rates}
    new = fleet.told.ask(
        "SELECT script, line, command, end, count(*), count(DISTINCT who) FROM installs"
        f" WHERE {here(env)} AND failed AND version = '{BAD}' AND script NOT IN"
        f" (SELECT script FROM installs WHERE failed AND version <> '{BAD}') GROUP BY 1, 2, 3, 4"
    )
    columns = ("script", "line", "command", "end", "runs", "instances")
    assert [tuple(row[name] for name in columns) for row in shown["tables"]["new"]] == new
    assert new[0][:4] == tuple(map(str, BAD_STEP))


def test_who_is_stuck(fleet: Fleet, env: str) -> None:
    rows = fleet.json(f"/stuck.json?period=quarter&env={env}")["tables"]["runs"]
    stuck = fleet.told.ask(
        "SELECT who, asked FROM"
        " (SELECT *, row_number() OVER (PARTITION BY who ORDER BY began DESC) AS place FROM installs)"
        f" WHERE place = 1 AND {here(env)} AND (failed OR NOT done AND began <= :now - :day)"
    )
    assert Counter((row["instance"], bool(row["asked_for_help"])) for row in rows) == Counter(
        (as_uuid(who), bool(asked)) for who, asked in stuck
    )
    assert stuck


def test_which_step_first(fleet: Fleet, env: str) -> None:
    shown = fleet.json(f"/steps.json?period=quarter&env={env}")["tables"]["steps"]
    steps = fleet.told.ask(
        "SELECT script, command, end,"
        " count(DISTINCT who), count(*), count(DISTINCT version), count(DISTINCT system)"
        f" FROM (SELECT * FROM installs WHERE failed AND {here(env)} ORDER BY began DESC LIMIT {MOST_FAILED})"
        f" GROUP BY script, command, end, CASE WHEN command = 'curl' THEN line - CASE {MOVED} END END"
    )
    columns = ("script", "command", "end", "instances", "runs", "versions", "systems")
    assert Counter(tuple(row[name] for name in columns) for row in shown) == Counter(steps)
    assert [row["instances"] for row in shown] == sorted((row[3] for row in steps), reverse=True)


@pytest.mark.parametrize("kind", ["version", "system"])
def test_which_versions_and_systems_live(fleet: Fleet, env: str, kind: str) -> None:
    shown = fleet.json(f"/adoption.json?period=quarter&env={env}&by={kind}")
    living = fleet.told.ask(
        f"SELECT {kind}, count(*) FROM fleet"
        f" WHERE lasting AND {here(env)} AND beat / :day > {TODAY} - 30 GROUP BY 1"
    )
    assert {row[kind]: row["instances"] for row in shown["tables"]["words"] if row["instances"]} == dict(
        living
    )
    came = fleet.told.ask(
        "SELECT sum(new AND day >= :first), sum(back AND day >= :first),"
        " sum(gone AND day + 30 BETWEEN :first AND :today) FROM"
        " (SELECT day, before IS NULL AS new, day - before > 30 AS back,"
        " coalesce(after - day > 30, 1) AS gone"
        " FROM (SELECT who, day, lag(day) OVER same AS before, lead(day) OVER same AS after FROM days"
        " WINDOW same AS (PARTITION BY who ORDER BY day)) JOIN fleet USING (who)"
        f" WHERE lasting AND {here(env)})",
        first=FIRST,
        today=TODAY,
    )
    assert [(shown["new"], shown["back"], shown["lost"])] == came


def test_what_people_use(fleet: Fleet, env: str) -> None:
    """Usage events name no environment."""
    tables = fleet.json(f"/usage.json?period=quarter&env={env}")["tables"]
    used = fleet.told.ask("SELECT name, count(*) FROM told WHERE NOT telling GROUP BY name")
    assert [(row["event"], row["events"]) for row in tables["usage"]] == used
    days = dict(fleet.told.ask("SELECT at / :day, count(*) FROM told WHERE NOT telling GROUP BY 1"))
    assert sum(row["events"] for row in tables["over_time"]) == sum(days.values())


def test_the_overview_agrees(fleet: Fleet, env: str) -> None:
    shown = fleet.json(f"/overview.json?period=quarter&env={env}")
    ended = fleet.told.one(
        "SELECT count(*), sum(done), sum(failed), sum(NOT done AND NOT failed AND began <= :now - :day)"
        f" FROM installs WHERE {here(env)}"
    )
    assert tuple(shown["installs"][name] for name in ("started", "succeeded", "failed", "given_up")) == ended
    for name, span in (("24h", 1), ("7d", 7), ("30d", 30)):
        (active,) = fleet.told.one(
            f"SELECT count(*) FROM fleet WHERE lasting AND {here(env)} AND beat > :now - {span} * :day"
        )
        assert shown["active"][name]["established"] == active > 0

"""The questions of a Monday over several fleets: the page says what SQL says of the same events.

The demo's year, a fleet without troubles, and one with a bad release, an outage, clones, the noise of a CI
that does not say so, and of one that does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, pairwise
from typing import Any

import pytest

from collector.admin.demo import BAD_FAILURE, demo_events
from collector.admin.keys import source_named
from collector.base.environments import ALL, PRODUCTION
from collector.base.events import Event
from collector.base.ids import as_uuid
from collector.base.times import DAY_MS
from collector.ingest import decode
from collector.page.period import NAMED
from collector.store import Stores, open_stores
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.made_fleet import BAD_STEP, RELEASES, in_environment, made_fleet
from tests.collector.page.told_sql import Told

TODAY = NOW // DAY_MS
# Where a step stands: that of the made-up fleet's download is counted from where it is in each release.
STAYED = "line"
MOVED = " ".join(f"WHEN version = '{version}' THEN line - {line}" for version, _, line in RELEASES)
MOVED = f"CASE WHEN command = 'curl' THEN CASE {MOVED} END ELSE line END"
# The page reads so many failures, the latest first; since a release and before it, so many each.
MOST_FAILED = 10_000
CHUNK = 5000

Step = tuple[str, int, str, int]


@dataclass(frozen=True)
class Kind:
    """What a fleet is made of, and what is true of it."""

    events: Callable[[int], Iterable[Event]]  # of a source
    versions: tuple[str, ...]  # up to the one that is asked for
    new_steps: tuple[Step, ...]  # at which only that one fails
    where: str = MOVED
    period: str = "quarter"


def made(source: int, size: int, every: int, *, troubled: bool = True) -> Iterator[Event]:
    """A made-up fleet, with a smaller one in a CI and one in development."""
    sent = chain(
        made_fleet(size, every=every, troubled=troubled),
        in_environment(made_fleet(size // 4, 2, every, troubled=troubled), "ci"),
        in_environment(made_fleet(size // 10, 3, every, troubled=troubled), "dev"),
    )
    return (decode.read_event(one, "", source, NOW) for one in sent)


RELEASED = tuple(version for version, *_ in RELEASES)
DEMO = partial(
    Kind,
    versions=(*(f"1.{number}.0" for number in range(8)), "1.7.1"),
    new_steps=(BAD_FAILURE,),
    where=STAYED,
    period="year",
)
FLEETS = {
    "demo": DEMO(partial(demo_events, 120, 1, NOW)),
    "whole demo": DEMO(partial(demo_events, 500, 1, NOW)),
    "calm": Kind(partial(made, size=1000, every=4, troubled=False), RELEASED, ()),
    "troubled": Kind(partial(made, size=1000, every=2), RELEASED, (BAD_STEP,)),
    "large": Kind(partial(made, size=100_000, every=14), RELEASED, (BAD_STEP,)),
}

LONG = [pytest.mark.slow, pytest.mark.timeout(3600)]
pytestmark = [
    pytest.mark.once,
    pytest.mark.parametrize(
        ("fleet", "env"),
        [
            ("demo", PRODUCTION),
            *(("calm", env) for env in (PRODUCTION, ALL)),
            *(("troubled", env) for env in (PRODUCTION, ALL, "ci")),
            pytest.param("whole demo", ALL, marks=pytest.mark.slow),
            *(pytest.param("large", env, marks=LONG) for env in (PRODUCTION, ALL, "ci")),
        ],
        indirect=["fleet"],
        scope="module",
    ),
]


class Fleet:
    """A page over a fleet, and the same events as a table."""

    def __init__(self, stores: Stores, kind: Kind) -> None:
        with stores.control.transaction() as tx:
            source = source_named(tx, "product", 0)
        self.kind, self.told = kind, Told(NOW)
        events = iter(kind.events(source))
        while some := list(islice(events, CHUNK)):
            self.told.add(some)
            stores.events.keep(some)
        while stores.events.fold():
            pass
        self.client = PageClient(stores)
        self.first = TODAY - NAMED[kind.period] + 1

    def json(self, view: str, env: str, more: str = "") -> Any:
        reply = self.client.get(f"{view}.json?period={self.kind.period}&env={env}{more}")
        assert reply.status == 200, reply.text
        return reply.json()


@pytest.fixture(scope="module")
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    path = tmp_path_factory.mktemp("monday")
    with closing(open_stores(f"sqlite:///{path}/page.db")) as stores:
        yield Fleet(stores, FLEETS[request.param])


def here(env: str) -> str:
    """The condition that a row is of the environment."""
    return "1 = 1" if env == ALL else f"coalesce(env, 'production') = '{env}'"


def test_what_broke(fleet: Fleet, env: str) -> None:
    *_, before, version = fleet.kind.versions
    shown = fleet.json("/since", env, f"&version={version}")
    assert (shown["version"], shown["before"]) == (version, before)
    since = f"{here(env)} AND began / :day >= (SELECT min(began) / :day FROM installs"
    since += f" WHERE version = '{before}' AND {here(env)})"
    rates = fleet.told.ask(
        "SELECT version, sum(done) * 1.0 / sum(done OR failed OR began <= :now - :day)"
        f" FROM installs WHERE {since} AND version IN {(before, version)} GROUP BY version"
    )
    told = {version: shown["success_rate"]["value"], before: shown["success_rate_before"]["value"]}
    assert told == {version: pytest.approx(rate) for version, rate in rates}
    released = fleet.told.ask(
        f"SELECT min(began) / :day FROM installs WHERE version = '{version}' AND {here(env)}"
    )
    days = [0, *(day for (day,) in released), TODAY + 1]
    failed = " UNION ALL ".join(
        f"SELECT * FROM (SELECT * FROM installs WHERE {since} AND failed AND began / :day >= {day}"
        f" AND began / :day < {until} ORDER BY began DESC LIMIT {MOST_FAILED})"
        for day, until in pairwise(days)
    )
    failed = f"(SELECT * FROM ({failed}) WHERE version IN {fleet.kind.versions})"
    others = (
        f"SELECT * FROM {failed} AS old WHERE version <> new.version"
        " AND (old.script, old.command, old.end) IS (new.script, new.command, new.end)"
    )
    new = fleet.told.ask(
        f"SELECT script, line, command, end, count(*), count(DISTINCT who) FROM {failed} AS new"
        f" WHERE version = '{version}' AND NOT EXISTS ({others}) GROUP BY 1, 2, 3, 4"
    )
    columns = ("script", "line", "command", "end", "runs", "instances")
    assert [tuple(row[name] for name in columns) for row in shown["tables"]["new"]] == new
    assert [row[:4] for row in new] == [tuple(map(str, step)) for step in fleet.kind.new_steps]


def test_who_is_stuck(fleet: Fleet, env: str) -> None:
    rows = fleet.json("/stuck", env)["tables"]["runs"]
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
    shown = fleet.json("/steps", env)["tables"]["steps"]
    steps = fleet.told.ask(
        "SELECT script, coalesce(command, ''), end,"
        " count(DISTINCT who), count(*), count(DISTINCT version), count(DISTINCT system)"
        f" FROM (SELECT * FROM installs WHERE failed AND {here(env)} ORDER BY began DESC LIMIT {MOST_FAILED})"
        f" GROUP BY script, command, end, {fleet.kind.where}"
    )
    columns = ("script", "command", "end", "instances", "runs", "versions", "systems")
    assert Counter(tuple(row[name] for name in columns) for row in shown) == Counter(steps)
    assert [row["instances"] for row in shown] == sorted((row[3] for row in steps), reverse=True)


@pytest.mark.parametrize("kind", ["version", "system"])
def test_which_versions_and_systems_live(fleet: Fleet, env: str, kind: str) -> None:
    shown = fleet.json("/adoption", env, f"&by={kind}")
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
        first=fleet.first,
        today=TODAY,
    )
    assert [(shown["new"], shown["back"], shown["lost"])] == came


def test_what_people_use(fleet: Fleet, env: str) -> None:
    """Usage events name no environment."""
    tables = fleet.json("/usage", env)["tables"]
    used = fleet.told.ask("SELECT name, count(*) FROM told WHERE NOT telling GROUP BY name")
    assert [(row["event"], row["events"]) for row in tables["usage"]] == used
    days = dict(fleet.told.ask("SELECT at / :day, count(*) FROM told WHERE NOT telling GROUP BY 1"))
    assert sum(row["events"] for row in tables["over_time"]) == sum(days.values())


def test_the_overview_agrees(fleet: Fleet, env: str) -> None:
    shown = fleet.json("/overview", env)
    ended = fleet.told.one(
        "SELECT count(*), sum(done), sum(failed), sum(NOT done AND NOT failed AND began <= :now - :day)"
        f" FROM installs WHERE {here(env)} AND began / :day >= {fleet.first}"
    )
    assert tuple(shown["installs"][name] for name in ("started", "succeeded", "failed", "given_up")) == ended
    for name, span in (("24h", 1), ("7d", 7), ("30d", 30)):
        (active,) = fleet.told.one(
            f"SELECT count(*) FROM fleet WHERE lasting AND {here(env)} AND beat > :now - {span} * :day"
        )
        assert shown["active"][name]["established"] == active > 0

"""Rollups equal a recount of the events, whatever their order."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.events import BEAT, ERRORS, STARTED, SUCCESS, SUPPORT, Event, Fact
from collector.rollups import Ledger, edges, week_of, weeks_of
from collector.store import Store
from collector.times import DAY_MS

NOW = 20_000 * DAY_MS
FACTS = st.builds(
    Fact,
    version=st.sampled_from(["", "1.0", "2.0"]),
    os=st.sampled_from(["", "debian", "ubuntu"]),
    os_version=st.sampled_from(["", "12"]),
    exit_code=st.sampled_from([None, 1, 127]),
    script=st.sampled_from([None, "install.sh"]),
    line=st.sampled_from([None, 3, 14]),
    email=st.sampled_from([None, "a@example.org", "b@example.org"]),
)
KEYS = st.integers(0, 2).map(lambda number: bytes([number]) * 16)


@st.composite
def events(draw: st.DrawFn) -> Event:
    name = draw(st.sampled_from([BEAT, BEAT, BEAT, STARTED, SUCCESS, ERRORS, SUPPORT, "usage"]))
    known = name != "usage"
    return Event(
        source=draw(st.integers(1, 2)),
        id=draw(st.integers(0, 60)).to_bytes(16, "big"),
        received=NOW,
        time=NOW - draw(st.integers(0, 45 * 4)) * DAY_MS // 4 - draw(st.integers(0, 3)),
        type="track",
        name=name,
        who=draw(KEYS),
        run=draw(KEYS) if known and name != BEAT else None,
        body="{}",
        fact=Fact() if name == BEAT else draw(FACTS) if known else None,
    )


def distinct(found: Sequence[Event]) -> list[Event]:
    return list({(event.source, event.id): event for event in reversed(found)}.values())


def recount(found: Sequence[Event]) -> dict[str, Any]:
    """The counters by the plainest reading of what they mean."""
    daily = Counter(
        (e.source, e.time // DAY_MS, e.name, e.fact.version if e.fact else "", e.fact.os if e.fact else "")
        for e in found
    )
    telling = [e for e in found if e.fact is not None]
    alive: Counter[tuple[int, int, int, int]] = Counter()
    retention: Counter[tuple[int, int, int, int]] = Counter()
    for source, who in {(e.source, e.who) for e in telling}:
        times = [e.time for e in telling if (e.source, e.who) == (source, who)]
        beats = {e.time // DAY_MS for e in telling if (e.source, e.who, e.name) == (source, who, BEAT)}
        established = int(max(times) - min(times) > DAY_MS)
        for span in (1, 7, 30):
            alive.update(
                (source, day, span, established) for day in {b + n for b in beats for n in range(span)}
            )
        retention.update(
            (source, week_of(min(times) // DAY_MS), established, week) for week in {week_of(b) for b in beats}
        )
    return {"daily": dict(daily), "alive": dict(alive), "retention": dict(retention)}


def levels(changes: dict[tuple[int, int, int, int], int]) -> dict[tuple[int, int, int, int], int]:
    """From changes on days to numbers on days."""
    alive: dict[tuple[int, int, int, int], int] = {}
    for source, span, established in {(key[0], key[2], key[3]) for key in changes}:
        mine = {key[1]: n for key, n in changes.items() if (key[0], *key[2:]) == (source, span, established)}
        level = 0
        for day in range(min(mine), max(mine) + 1):
            level += mine.get(day, 0)
            if level:
                alive[source, day, span, established] = level
    return alive


def counted(store: Store) -> dict[str, Any]:
    """The same from what the store counted."""
    daily = store.all("SELECT source, day, name, version, os, n FROM daily")
    active = store.all("SELECT source, day, span, established, n FROM active")
    retention = store.all("SELECT source, cohort, established, week, n FROM retention WHERE n <> 0")
    return {
        "daily": {tuple(row[:-1]): row[-1] for row in daily},
        "alive": levels({tuple(row[:-1]): row[-1] for row in active}),
        "retention": {tuple(row[:-1]): row[-1] for row in retention},
    }


class Tables:
    """The derived tables as dictionaries: what a store does with a ledger, without a database."""

    def __init__(self) -> None:
        self.seen: set[tuple[int, bytes]] = set()
        self.rows: dict[str, dict[Any, Any]] = defaultdict(dict)

    def add(self, found: Sequence[Event]) -> None:
        fresh = [event for event in distinct(found) if event[:2] not in self.seen]
        self.seen.update(event[:2] for event in fresh)
        ledger = Ledger()
        ledger.load_instances(
            r for k, r in self.rows["instances"].items() if k in {(e.source, e.who) for e in fresh}
        )
        ledger.load_runs(r for k, r in self.rows["runs"].items() if k in {(e.source, e.run) for e in fresh})
        for event in fresh:
            ledger.count(event)
        for table, rows in ledger.changes():
            for row in rows:
                key = tuple(row[: len(table.key)])
                if table.on_conflict == "add":
                    self.rows[table.name][key] = self.rows[table.name].get(key, 0) + row[-1]
                else:
                    self.rows[table.name][key] = row

    def counted(self) -> dict[str, Any]:
        daily = {(key[0], key[1], *key[3:]): n for key, n in self.rows["daily"].items()}
        retention = {key: n for key, n in self.rows["retention"].items() if n}
        return {"daily": daily, "alive": levels(self.rows["active"]), "retention": retention}


@given(st.lists(events(), max_size=60), st.integers(0, 2**32))
def test_counters_equal_a_recount_for_any_order_duplicates_and_late_arrivals(
    found: list[Event],
    seed: int,
) -> None:
    chance = random.Random(seed)
    pending = distinct(found)
    everything = pending + (chance.choices(pending, k=len(pending) // 3) if pending else [])
    chance.shuffle(everything)
    together, one_by_one = Tables(), Tables()
    while everything:
        size = chance.randint(1, 20)
        together.add(everything[:size])
        del everything[:size]
    for event in pending:
        one_by_one.add([event])
    assert together.counted() == recount(pending)
    for table in ("instances", "runs"):
        assert together.rows[table] == one_by_one.rows[table]


def test_a_history_is_counted_alike_in_both_databases(
    store: Store, make_events: Callable[..., list[Event]]
) -> None:
    found = make_events(400)
    for start in range(0, len(found), 37):
        store.add(found[start : start + 37])
        store.add(found[: start + 37 : 5])
    assert counted(store) == recount(distinct(found))


@pytest.fixture
def make_events() -> Callable[[int], list[Event]]:
    def make(count: int) -> list[Event]:
        chance = random.Random(7)
        names = [BEAT] * 5 + [STARTED, SUCCESS, ERRORS, SUPPORT]
        made = []
        for number in range(count):
            name = chance.choice(names)
            fact = Fact() if name == BEAT else Fact(version=chance.choice(["1", "2"]), os="debian")
            made.append(
                Event(
                    source=1,
                    id=number.to_bytes(16, "big"),
                    received=NOW,
                    time=NOW - chance.randrange(80 * DAY_MS),
                    type="track",
                    name=name,
                    who=bytes([chance.randrange(9)]) * 16,
                    run=None if name == BEAT else bytes([chance.randrange(30)]) * 16,
                    body="{}",
                    fact=fact,
                ),
            )
        return made

    return make


@given(st.sets(st.integers(0, 80), min_size=1), st.sampled_from([1, 7, 30]))
def test_edges_open_and_close_what_the_heartbeats_cover(days: set[int], span: int) -> None:
    comes, goes = edges(sum(1 << 4 * day for day in days), span)
    level, covered = 0, set()
    for day in range(120):
        level += (comes >> 4 * day & 1) - (goes >> 4 * day & 1)
        if level:
            covered.add(day)
    assert covered == {day + n for day in days for n in range(span)}


@given(st.integers(0, 30_000), st.sets(st.integers(0, 60)))
def test_weeks_are_those_of_the_days(first: int, days: set[int]) -> None:
    week, mask = weeks_of(first, sum(1 << 4 * day for day in days))
    assert {week + n for n in range(20) if mask >> n & 1} == {week_of(first + day) for day in days}


def test_a_ledger_that_saw_nothing_changes_nothing() -> None:
    assert all(not rows for _, rows in Ledger().changes())

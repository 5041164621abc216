"""Rollups equal a recount of the events, whatever their order."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from collector.base.events import BEAT, ERRORS, STARTED, SUCCESS, SUPPORT, Event, Fact
from collector.base.times import DAY_MS
from collector.store import Stores, rollups, schema
from collector.store.database import Database
from collector.store.packed_slots import unpack_slots
from collector.store.rollups import Ledger
from collector.store.spans import SLOT_MS, SPANS, edges, week_of, weeks_of
from collector.store.sql.folding import fold_waiting

NOW = 20_000 * DAY_MS
# The first of the sources that are told the same again.
COPY = 3
TABLES = (
    *(schema.EVENTS, schema.INSTANCES, schema.RUNS),
    *(schema.DAILY, schema.ACTIVE, schema.OUTCOMES, schema.COHORTS, schema.RETENTION),
)
FACTS = st.builds(
    Fact,
    version=st.sampled_from(["", "1.0", "2.0"]),
    os=st.sampled_from(["", "debian", "ubuntu"]),
    os_version=st.sampled_from(["", "12"]),
    duration=st.sampled_from([None, 1, 2]),
    reason=st.sampled_from([None, "exit", "signal"]),
    exit_code=st.sampled_from([None, 1, 127]),
    signal=st.sampled_from([None, "SIGTERM"]),
    script=st.sampled_from([None, "install.sh"]),
    line=st.sampled_from([None, 3, 14]),
    command=st.sampled_from([None, "apt-get"]),
    reference=st.sampled_from([None, "01234567"]),
    email=st.sampled_from([None, "a@example.org", "b@example.org"]),
    environment=st.sampled_from([0, 0, 1, 4]),
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
    daily = Counter((e.source, e.time // DAY_MS, e.type, e.name) for e in found)
    telling = [e for e in found if e.fact is not None]
    alive: Counter[tuple[int, int, int, int]] = Counter()
    retention: Counter[tuple[int, int, int, int]] = Counter()
    cohorts: Counter[tuple[int, int, int]] = Counter()
    instances = {}
    for source, who in {(e.source, e.who) for e in telling}:
        times = [e.time for e in telling if (e.source, e.who) == (source, who)]
        beats = [e.time for e in telling if (e.source, e.who, e.name) == (source, who, BEAT)]
        days = {time // DAY_MS for time in beats}
        cohort, established = week_of(min(times) // DAY_MS), int(max(times) - min(times) > DAY_MS)
        said = [
            (e.time, e.fact.environment)
            for e in telling
            if (e.source, e.who) == (source, who) and e.run and e.fact
        ]
        established += 2 * max(said, default=(0, 0))[1]
        for span in (1, 7, 30):
            alive.update(
                (source, day, span, established) for day in {b + n for b in days for n in range(span)}
            )
        retention.update((source, cohort, established, week) for week in {week_of(day) for day in days})
        cohorts[source, cohort, established] += 1
        slots = {time // SLOT_MS for time in beats}
        instances[source, who] = (min(times), max(times), max(beats, default=None), len(beats), slots)
    return {
        "daily": dict(daily),
        "alive": dict(alive),
        "retention": dict(retention),
        "cohorts": dict(cohorts),
        "instances": instances,
        "outcomes": dict(outcomes_of(telling)),
    }


def outcomes_of(telling: Sequence[Event]) -> Counter[tuple[Any, ...]]:
    """How the runs of install scripts ended, by the day on which they began."""
    runs: dict[tuple[int, bytes], list[Event]] = defaultdict(list)
    for event in telling:
        if event.run is not None:
            runs[event.source, event.run].append(event)
    outcomes: Counter[tuple[Any, ...]] = Counter()
    for (source, _), events in runs.items():
        started = [e.time for e in events if e.name == STARTED]
        ended = [
            (e.time, "success" if e.name == SUCCESS else "errors")
            for e in events
            if e.name in (SUCCESS, ERRORS)
        ]
        if not started and not ended:
            continue
        began = min(started) if started else max(ended)[0]
        version, *system = max((e.fact.version, e.fact.os, e.fact.os_version) for e in events if e.fact)
        outcome = max(ended)[1] if ended else "open"
        words = {"all": "", "version": version, "system": " ".join(system).strip()}
        if outcome == "errors":
            words["place"] = place_of(max((e for e in events if e.name in (SUCCESS, ERRORS)), key=late))
        number = max(e.fact.environment for e in events if e.fact)
        lead = {0: "", 1: "internal ", 4: "ci "}[number]
        outcomes.update((source, lead + kind, began // DAY_MS, word, outcome) for kind, word in words.items())
    return outcomes


def late(event: Event) -> tuple[Any, ...]:
    """Which of two ends holds: the later one; of two at once the greater."""
    fact = event.fact
    assert fact
    told = (fact.duration, fact.reason, fact.exit_code, fact.signal, fact.script, fact.line, fact.command)
    outcome = "success" if event.name == SUCCESS else "errors"
    return (event.time, [(value is not None, str(value)) for value in (outcome, *told)])


def place_of(event: Event) -> str:
    """Script, line, program, and signal, exit code or reason."""
    fact = event.fact
    assert fact
    end = fact.signal or (None if fact.exit_code is None else str(fact.exit_code)) or fact.reason or ""
    line = "" if fact.line is None else str(fact.line)
    return "\x1f".join((fact.script or "", line, fact.command or "", end))


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


def counted(tables: Database) -> dict[str, Any]:
    """The same from what the store counted, for sources below COPY."""
    fold_waiting(tables)
    select = {
        "daily": "source, day, type, name, n FROM daily",
        "alive": "source, day, span, established, n FROM active",
        "retention": "source, cohort, established, week, n FROM retention",
        "cohorts": "source, cohort, established, n FROM cohorts",
        "outcomes": "source, kind, day, word, outcome, n FROM outcomes",
    }
    found = {
        name: {row[:-1]: row[-1] for row in tables.all(f"SELECT {sql} WHERE n <> 0 AND source < ?", COPY)}
        for name, sql in select.items()
    }
    rows = tables.all(
        "SELECT source, id, first_seen, last_seen, last_beat, beats, first_day, packed_slots"
        " FROM instances WHERE source < ?",
        COPY,
    )
    return {
        **found,
        "alive": levels(found["alive"]),
        "instances": {
            (source, bytes(who)): (*told, {first * 4 + n for n in bits(unpack_slots(slots))})
            for source, who, *told, first, slots in rows
        },
    }


def empty(tables: Database) -> None:
    with tables.transaction() as tx:
        for table in (*(table.name for table in TABLES), "words", "pending"):
            tx.execute(f"DELETE FROM {table}")


def bits(mask: int) -> set[int]:
    return {n for n in range(mask.bit_length()) if mask >> n & 1}


def of_sources(tables: Database, table: schema.Table, first: int) -> list[Any]:
    """A table's rows of the two sources from `first`."""
    fold_waiting(tables)
    names = ", ".join(table.names[1:])
    sql = f"SELECT source - {first}, {names} FROM {table.name} WHERE source IN (?, ?) ORDER BY 1, 2"
    return tables.all(sql, first, first + 1)


@settings(
    max_examples=200,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes minutes, each step in a database
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(events(), max_size=60), st.integers(0, 2**32))
def test_counters_equal_a_recount_for_any_order_duplicates_and_late_arrivals(
    stores: Stores,
    tables: Database,
    found: list[Event],
    seed: int,
) -> None:
    """In both databases; the same events in order, as other sources, make the same instances and runs."""
    empty(tables)
    chance = random.Random(seed)
    pending = distinct(found)
    everything = pending + (chance.choices(pending, k=len(pending) // 3) if pending else [])
    chance.shuffle(everything)
    while everything:
        size = chance.randint(1, 20)
        stores.events.keep(everything[:size])
        del everything[:size]
    stores.events.keep(event._replace(source=event.source + COPY - 1) for event in pending)
    assert counted(tables) == recount(pending)
    assert stores.events.recount(lambda _: None) == 0
    for table in (schema.INSTANCES, schema.RUNS):
        assert of_sources(tables, table, 1) == of_sources(tables, table, COPY)


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


def beat(instance: int, time: int) -> Event:
    key = bytes([instance]) * 16
    return Event(1, time.to_bytes(16, "big"), NOW, time, "track", BEAT, key, None, "{}", None, Fact())


def test_an_instance_is_counted_anew_once_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many days it brings: to do so for each would take seconds for a request of a few KB."""
    calls: list[int] = []

    def noted(days: int, span: int) -> tuple[int, int]:
        calls.append(span)
        return edges(days, span)

    monkeypatch.setattr(rollups, "edges", noted)
    for instances, expected in ((1, 2 * len(SPANS)), (2, 4 * len(SPANS))):
        calls.clear()
        ledger = Ledger()
        for n in range(200):
            ledger.count(beat(n % instances, NOW - n * 2 * DAY_MS))
        assert not calls
        assert sum(len(rows) for _, rows in ledger.changes(())) > 200
        assert len(calls) == expected


def test_one_more_day_of_a_long_history_changes_a_few_counters() -> None:
    ledger = Ledger()
    for n in range(0, 4000, 2):
        ledger.count(beat(1, NOW - 2 * DAY_MS - n * DAY_MS))
    whole = {table.name: rows for table, rows in ledger.changes(())}
    assert len(whole["active"]) > 2000
    later = Ledger()
    later.load_instances(whole["instances"])
    later.count(beat(1, NOW))
    later.count(beat(1, NOW - 4020 * DAY_MS))  # of a week before the first: another cohort
    assert list(later.changes(()))
    assert 0 < len(later.active) < 20


def test_a_ledger_that_saw_nothing_changes_nothing() -> None:
    assert all(not rows for _, rows in Ledger().changes(()))

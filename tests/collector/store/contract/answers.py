"""Every question about a source: what a store answers, and what the events say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from collector.base.environments import ALL as ALL_OF_THEM
from collector.base.environments import ENVIRONMENTS, PRODUCTION
from collector.base.events import BEAT, Event
from collector.base.times import DAY_MS
from collector.store import EventStore
from collector.store.fleet import Instance, InstanceFilter
from collector.store.history import on_day
from collector.store.runs import NO_RUN, RUN_STATES, Failure, Run, RunCounts, RunFilter, RunsEnd
from collector.store.spans import SPANS
from collector.store.values import NO_PAGE, StoredEvent
from tests.collector.store.contract import plain
from tests.collector.store.contract.history import INSTANCES, NOW, RUNS, SOURCE, TODAY

FIRST, LAST = TODAY - 50, TODAY
PERIODS = ((TODAY - 29, TODAY), (TODAY - 20, TODAY - 9))
ACTIVE = ("active", "active 7d", "active 24h")
STATES = ("all", *ACTIVE, "beating", "silent", "gone", "never", "new", "returning", "short-lived")
LISTS = (*((state, None, None) for state in STATES), ("all", "1.1", None), ("silent", None, "debian 12"))
FILTERS = (
    *(RunFilter(state) for state in ("", *RUN_STATES)),
    RunFilter(version="1.1"),
    RunFilter("failed", version="2.0", system="debian 12"),
)
ALL = 1000
LATEST = 2**62
NAMES = ("", BEAT, "Deployed")

Answers = dict[str, Any]


def told_by(store: EventStore, source: int = SOURCE) -> Answers:
    """What the store answers, of the environment that it was asked for."""
    return {**_of_fleet(store, source), **_of_runs(store, source), **_of_events(store, source)}


def said_by(kept: Sequence[Event], source: int = SOURCE, environment: str = PRODUCTION) -> Answers:
    """What it must answer."""
    mine = [event for event in kept if event.source == source]
    return {**_fleet_in(mine, environment), **_runs_in(mine, environment), **_events_in(mine)}


def _of_fleet(store: EventStore, source: int) -> Answers:
    census = store.census(source, NOW)
    found: Answers = {
        "active now": +census.active,
        "states": +census.states,
        "versions": +census.versions,
        "systems": +census.systems,
        "first days": +census.first_days,
        "last days": +census.last_days,
        "new by week": store.new_instances_by_week(source, 0),
        "retention": store.retention_by_week(source, 0),
        "instances": {who: _instance(store.find_instance(source, who)) for who in INSTANCES},
        "between": store.instances_between(source, INSTANCES[1], INSTANCES[4], ALL),
    }
    history = store.fleet_history(source)
    days = range(FIRST, LAST)
    found["history"] = [[on_day(history.versions, day), on_day(history.systems, day)] for day in days]
    found["came and left"] = [history.new, history.back, history.lost]
    for span in SPANS:
        found[f"active in {span}"] = store.active_by_day(source, span, FIRST, LAST)
    for period in PERIODS:
        for number, (state, version, system) in enumerate(LISTS):
            wanted = InstanceFilter(state, version, system)
            listed, _ = store.list_instances(source, wanted, *period, NOW, (LATEST, b""), ALL)
            found[f"instances {number} {period}"] = [one.id for one in listed]
    return found


def _fleet_in(kept: Sequence[Event], environment: str) -> Answers:
    everybody = plain.instances_of(kept)
    fleet = [one for one in everybody if environment in (ALL_OF_THEM, one.environment)]
    lasting = [one for one in fleet if one.established]
    month = [one for one in lasting if one.beats and one.beats[-1] > NOW - 30 * DAY_MS]
    rows = {one.who: one.row for one in everybody}
    found: Answers = {
        "active now": Counter(
            (span, one.established)
            for span in SPANS
            for one in fleet
            if one.beats and one.beats[-1] > NOW - span * DAY_MS
        ),
        "states": Counter((one.state, one.established) for one in fleet),
        "versions": Counter(one.version for one in month),
        "systems": Counter(f"{one.os} {one.os_version}".strip() for one in month),
        "first days": Counter(one.first // DAY_MS for one in lasting),
        "last days": Counter(one.last // DAY_MS for one in lasting),
        "new by week": plain.new_by_week(fleet),
        "retention": plain.retention_of(fleet),
        "instances": {who: rows.get(who) for who in INSTANCES},
        "between": [who for who in INSTANCES[1:5] if who in rows],
    }
    runs = plain.runs_of(kept)
    found["history"] = [plain.words_on(fleet, runs, day) for day in range(FIRST, LAST)]
    found["came and left"] = plain.came_and_left(fleet)
    for span in SPANS:
        days = range(FIRST, LAST + 1)
        found[f"active in {span}"] = {day: plain.active_on(fleet, span, day) for day in days}
    for period in PERIODS:
        for number, (state, version, system) in enumerate(LISTS):
            found[f"instances {number} {period}"] = [
                one.who
                for one in fleet
                if one.is_in(state, *period)
                and version in (None, one.version)
                and system in (None, f"{one.os} {one.os_version}")
            ]
    return found


def _of_runs(store: EventStore, source: int) -> Answers:
    found: Answers = {
        "runs": {run.id: _run(run) for run in store.find_runs(source, RUNS)},
        "asked": store.asked_runs(source, NO_RUN, ALL),
        "runs between": store.runs_between(source, RUNS[2], RUNS[9], ALL),
        "first days of": {kind: store.first_days(source, kind) for kind in ("version", "system")},
        "of instance": {
            who: [run.id for run in store.runs_of_instance(source, who, ALL)] for who in INSTANCES
        },
    }
    for number, wanted in enumerate(FILTERS):
        listed, _ = store.list_runs(source, wanted, 0, (NOW, b""), NOW, ALL)
        found[f"list {number}"] = [run.id for run in listed]
    for first, last in PERIODS:
        by_day = store.run_counts_by_day(source, first, last, NOW)
        failures = store.worst_failures(source, first, last, ALL)
        places = [failure.place for failure in failures]
        trends = store.failure_trends(source, first, last, places)
        alone = [store.find_failure(source, first, last, place) for place in places]
        found |= {
            f"by day {first}": {day: _counts(counts) for day, counts in by_day.items() if counts.started},
            f"failures {first}": [_failure(one) for one in failures],
            f"alone {first}": [_failure(one) for one in alone],
            f"tried {first}": store.instances_with_installs(source, first, last),
            f"trends {first}": {key: +Counter(days) for key, days in trends.items()},
            f"failed {first}": {one[:3]: one[3:] for one in store.failed_runs(source, first, last, ALL)},
            f"failed at {first}": [
                [run.id for run in store.runs_failed_at(source, place, *_times(first, last), ALL)]
                for place in places
            ],
        }
        for kind in ("version", "system"):
            counted = store.run_counts_by_word(source, kind, first, last, NOW)
            found[f"by {kind} {first}"] = [(word, _counts(counts)) for word, counts in counted]
    return found


def _runs_in(kept: Sequence[Event], environment: str) -> Answers:
    all_runs = sorted(plain.runs_of(kept), key=lambda run: run.began or 0, reverse=True)
    runs = [run for run in all_runs if environment in (ALL_OF_THEM, run.environment)]
    asked = sorted((run for run in all_runs if run.asked), key=lambda run: run.asked or 0)
    told = sorted(all_runs, key=lambda run: run.started or run.ended or run.asked or 0, reverse=True)
    found: Answers = {
        "runs": {run.key: run.row for run in all_runs},
        "asked": [(run.asked, run.key) for run in asked],
        "runs between": sorted(run.key for run in all_runs if RUNS[2] <= run.key <= RUNS[9]),
        "first days of": {kind: plain.first_days_of(runs, kind) for kind in ("version", "system")},
        "of instance": {who: [run.key for run in told if run.who == who] for who in INSTANCES},
    }
    for number, wanted in enumerate(FILTERS):
        found[f"list {number}"] = [run.key for run in runs if run.began and run.is_in(wanted, all_runs)]
    for first, last in PERIODS:
        failures = [one for one in plain.failures_in(runs, first, last) if one[1]]
        trends: dict[str, Counter[int]] = {place.key: Counter() for place, *_ in failures}
        for run in runs:
            if run.place and run.began_in(first, last):
                trends[run.place.key][(run.began or 0) // DAY_MS] += 1
        found |= {
            f"by day {first}": plain.counts_by(runs, first, last, "day"),
            f"failures {first}": failures,
            f"alone {first}": failures,
            f"tried {first}": plain.tried_in(runs, first, last),
            f"trends {first}": trends,
            f"failed {first}": plain.failed_together([run for run in runs if run.began_in(first, last)]),
            f"failed at {first}": [
                [run.key for run in runs if run.place == one[0] and run.began_in(first, last)]
                for one in failures
            ],
        }
        for kind in ("version", "system"):
            counted = plain.counts_by(runs, first, last, kind)
            found[f"by {kind} {first}"] = sorted(counted.items(), key=lambda item: (-sum(item[1]), item[0]))
    return found


def _of_events(store: EventStore, source: int) -> Answers:
    return {
        "names": store.event_names(source, ALL),
        "by name": [store.count_by_name(source, *period, ALL) for period in PERIODS],
        "by day": [store.count_by_day(source, name, *PERIODS[0]) for name in NAMES[1:]],
        "all by day": store.count_all_by_day(source),
        "events": Counter(map(_event, store.latest_events(source, NO_PAGE, ALL))),
        "named": {
            name: list(map(_event, store.events_named(source, name, NO_PAGE, ALL))) for name in NAMES[1:]
        },
        "events of instance": {
            (who, name): list(map(_event, store.events_of_instance(source, who, name, NO_PAGE, ALL)))
            for who in INSTANCES
            for name in NAMES
        },
        "events of run": {run: list(map(_event, store.events_of_run(source, run, ALL))) for run in RUNS},
    }


def _events_in(kept: Sequence[Event]) -> Answers:
    latest = sorted(kept, key=lambda event: event.time, reverse=True)
    often = Counter(event.name for event in kept)
    return {
        "names": sorted(often, key=lambda name: (-often[name], name)),
        "by name": [_by_name(kept, *period) for period in PERIODS],
        "by day": [
            Counter(e.time // DAY_MS for e in kept if e.name == name and e.time // DAY_MS >= PERIODS[0][0])
            for name in NAMES[1:]
        ],
        "all by day": Counter(e.time // DAY_MS for e in kept),
        "events": Counter(map(_event, kept)),
        "named": {name: [_event(e) for e in latest if e.name == name] for name in NAMES[1:]},
        "events of instance": {
            (who, name): [_event(e) for e in latest if e.who == who and name in ("", e.name)]
            for who in INSTANCES
            for name in NAMES
        },
        "events of run": {run: [_event(e) for e in reversed(latest) if e.run == run] for run in RUNS},
    }


def _times(first: int, last: int) -> tuple[int, RunsEnd]:
    return first * DAY_MS, ((last + 1) * DAY_MS, b"")


def _by_name(kept: Sequence[Event], first: int, last: int) -> list[tuple[str, int]]:
    counted = Counter(event.name for event in kept if first <= event.time // DAY_MS <= last)
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _event(event: Event | StoredEvent) -> tuple[Any, ...]:
    return (event.received, event.time, event.type, event.name, event.who, event.run, event.body)


def _instance(one: Instance | None) -> tuple[Any, ...] | None:
    if one is None:
        return None
    slots = {one.first_day * 4 + n for n in range(one.slots.bit_length()) if one.slots >> n & 1}
    system = (one.version, one.os, one.os_version, ENVIRONMENTS[one.environment])
    seen = (one.first_seen, one.last_seen, one.last_beat, one.beats)
    return (one.id, one.state(NOW), *seen, *system, slots)


def _run(run: Run) -> tuple[Any, ...]:
    system = (run.version, run.os, run.os_version, ENVIRONMENTS[run.environment])
    asked = (run.asked, run.email, run.reference)
    return (run.id, run.instance, run.state(NOW), *system, run.started, run.ended, run.place, *asked)


def _counts(counts: RunCounts) -> tuple[int, ...]:
    return (counts.succeeded, counts.failed, counts.given_up, counts.running)


def _failure(one: Failure | None) -> tuple[Any, ...] | None:
    return None if one is None else (one.place, one.runs, one.instances, one.last_seen, one.first_seen)

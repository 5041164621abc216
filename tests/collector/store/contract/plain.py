"""The plainest reading of what events say: what an event store must answer, without any store."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from collector.base.environments import ENVIRONMENTS, PRODUCTION
from collector.base.events import BEAT, ERRORS, STARTED, SUCCESS, SUPPORT, Event
from collector.base.times import DAY_MS
from collector.store.runs import Place, RunFilter
from collector.store.spans import SLOT_MS, week_of
from tests.collector.store.contract.history import HOUR, NOW

SILENT, GONE = 12 * HOUR + 15 * 60_000, 30 * DAY_MS


class PlainInstance:
    """One instance, by its events."""

    def __init__(self, who: bytes, told: Sequence[Event]) -> None:
        self.who = who
        times = [event.time for event in told]
        self.first, self.last = min(times), max(times)
        self.beats = sorted(event.time for event in told if event.name == BEAT)
        facts = [(e.time, e.fact.version, e.fact.os, e.fact.os_version) for e in told if e.fact]
        installs = [fact for fact, e in zip(facts, told, strict=True) if e.name != BEAT]
        said = [(e.time, named_in(e)) for e in told if e.run and e.name != BEAT]
        self.environment = max(said, default=(0, PRODUCTION))[1]
        self.told_at, self.version, self.os, self.os_version = max(installs, default=(0, "", "", ""))

    @property
    def established(self) -> bool:
        return self.last - self.first > DAY_MS

    @property
    def state(self) -> str:
        if not self.beats:
            return "never"
        quiet = NOW - self.beats[-1]
        return "gone" if quiet >= GONE else "silent" if quiet >= SILENT else "beating"

    @property
    def row(self) -> tuple[Any, ...]:
        """What is shown of it."""
        slots = {time // SLOT_MS for time in self.beats}
        last_beat = self.beats[-1] if self.beats else None
        system = (self.version, self.os, self.os_version, self.environment)
        return (self.who, self.state, self.first, self.last, last_beat, len(self.beats), *system, slots)

    def is_in(self, state: str, first: int, last: int) -> bool:
        """Whether it is on the list of a state, in a period of days."""
        since, until = first * DAY_MS, (last + 1) * DAY_MS
        lists: dict[str, bool] = {
            "all": True,
            "active": self.established and self.state in ("beating", "silent"),
            "active 7d": self.established and any(beat > NOW - 7 * DAY_MS for beat in self.beats),
            "active 24h": self.established and any(beat > NOW - DAY_MS for beat in self.beats),
            "new": self.established and since <= self.first < until,
            "returning": self.established and self.first < since <= self.last,
            "short-lived": not self.established,
        }
        return lists.get(state, self.established and self.state == state)


class PlainRun:
    """One run of an install script, by its events."""

    def __init__(self, key: bytes, told: Sequence[Event]) -> None:
        self.key = key
        self.who = max(event.who or b"" for event in told)
        self.started = min((e.time for e in told if e.name == STARTED), default=None)
        ends = [e for e in told if e.name in (SUCCESS, ERRORS)]
        self.end = max(ends, key=lambda event: event.time, default=None)
        self.ended = self.end.time if self.end else None
        self.began = self.ended if self.started is None else self.started
        requests = [e for e in told if e.name == SUPPORT]
        self.request = max(requests, key=lambda event: event.time, default=None)
        self.asked = self.request.time if self.request else None
        facts = [e.fact for e in told if e.fact]
        self.version, self.os, self.os_version = max((f.version, f.os, f.os_version) for f in facts)
        self.environment = max(map(named_in, told), key=ENVIRONMENTS.index)

    @property
    def state(self) -> str:
        if self.end:
            return "succeeded" if self.end.name == SUCCESS else "failed"
        return "running" if (self.began or 0) > NOW - DAY_MS else "given up"

    @property
    def place(self) -> Place | None:
        fact = self.end.fact if self.end else None
        if fact is None or self.state != "failed":
            return None
        return Place(fact.script or "", str(fact.line), fact.command or "", str(fact.exit_code))

    @property
    def row(self) -> tuple[Any, ...]:
        """What is shown of it."""
        fact = self.request.fact if self.request else None
        asked = (self.asked, fact.email, fact.reference) if fact else (None, None, None)
        system = (self.version, self.os, self.os_version, self.environment)
        place = self.place or Place("", "", "", "")
        return (self.key, self.who, self.state, *system, self.started, self.ended, place, *asked)

    def is_in(self, wanted: RunFilter, runs: Sequence[PlainRun]) -> bool:
        """Whether it is on a list of runs."""
        last = max((run for run in runs if run.who == self.who and run.began), key=lambda run: run.began or 0)
        states = {self.state, "stuck" if self is last and self.state in ("failed", "given up") else ""}
        return (
            wanted.state in {"", *states}
            and wanted.version in (None, self.version)
            and wanted.system in (None, f"{self.os} {self.os_version}")
        )

    def word(self, kind: str) -> Any:
        """What it is counted by."""
        words = {"day": (self.began or 0) // DAY_MS, "version": self.version}
        return words.get(kind, f"{self.os} {self.os_version}")

    def began_in(self, first: int, last: int) -> bool:
        return self.began is not None and first <= self.began // DAY_MS <= last


def named_in(event: Event) -> str:
    """The environment that an event of an install names."""
    said = json.loads(event.body)["context"].get("installation", {}).get("environment", PRODUCTION)
    return "internal" if said == "Staging" else str(said)


def instances_of(kept: Sequence[Event]) -> list[PlainInstance]:
    """The latest seen first."""
    told: defaultdict[bytes, list[Event]] = defaultdict(list)
    for event in kept:
        if event.fact is not None and event.who is not None:
            told[event.who].append(event)
    found = [PlainInstance(who, events) for who, events in told.items()]
    return sorted(found, key=lambda one: (one.last, one.who), reverse=True)


def runs_of(kept: Sequence[Event]) -> list[PlainRun]:
    told: defaultdict[bytes, list[Event]] = defaultdict(list)
    for event in kept:
        if event.run is not None and event.fact is not None:
            told[event.run].append(event)
    return [PlainRun(key, events) for key, events in told.items()]


def active_on(fleet: Sequence[PlainInstance], span: int, day: int) -> tuple[int, int]:
    """Instances with a heartbeat on a day or in the span - 1 days before: short-lived, and established."""
    alive = [one for one in fleet if any(day - span < beat // DAY_MS <= day for beat in one.beats)]
    lasting = sum(one.established for one in alive)
    return len(alive) - lasting, lasting


def counts_by(
    runs: Sequence[PlainRun], first: int, last: int, kind: str
) -> dict[Any, tuple[int, int, int, int]]:
    """Runs of a period by `day`, `version` or `system`: succeeded, failed, given up, running."""
    states: defaultdict[Any, Counter[str]] = defaultdict(Counter)
    for run in runs:
        if run.began_in(first, last):
            states[run.word(kind)][run.state] += 1
    names = ("succeeded", "failed", "given up", "running")
    found = {key: [counter[name] for name in names] for key, counter in states.items()}
    return {key: (n[0], n[1], n[2], n[3]) for key, n in found.items()}


def failures_in(runs: Sequence[PlainRun], first: int, last: int) -> list[tuple[Any, ...]]:
    """Place, runs, instances, last seen, and first seen ever; the worst first."""
    ever: defaultdict[Place, list[PlainRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.began or 0):
        if run.place:
            ever[run.place].append(run)
    found = []
    for place, failed in ever.items():
        now = [run for run in failed if run.began_in(first, last)]
        last_seen = max((run.ended or 0 for run in now), default=0)
        found.append((place, len(now), len({run.who for run in now}), last_seen, failed[0].ended))
    return sorted(found, key=lambda one: (one[2], one[1], one[3]), reverse=True)


def tried_in(runs: Sequence[PlainRun], first: int, last: int) -> tuple[int, int]:
    """Instances with a run that has ended, and those with one that succeeded."""
    ended = [run for run in runs if run.end and run.began_in(first, last)]
    return len({run.who for run in ended}), len({run.who for run in ended if run.state == "succeeded"})


def new_by_week(fleet: Sequence[PlainInstance]) -> Counter[int]:
    return Counter(week_of(one.first // DAY_MS) for one in fleet if one.established)


def retention_of(fleet: Sequence[PlainInstance]) -> Counter[tuple[int, int]]:
    found: Counter[tuple[int, int]] = Counter()
    for one in fleet:
        if one.established:
            weeks = {week_of(beat // DAY_MS) for beat in one.beats}
            found.update((week_of(one.first // DAY_MS), week) for week in weeks)
    return found


def first_days_of(runs: Sequence[PlainRun], kind: str) -> dict[str, int]:
    """The first day of each version or system."""
    found: dict[str, int] = {}
    for run in sorted(runs, key=lambda run: run.began or 0):
        if run.began:
            found.setdefault(run.word(kind), run.began // DAY_MS)
    return found


def words_on(fleet: Sequence[PlainInstance], runs: Sequence[PlainRun], day: int) -> list[Counter[str]]:
    """Versions and systems, by the last install up to a day, of the instances that were active up to it."""
    versions, systems = Counter[str](), Counter[str]()
    for one in fleet:
        if one.established and any(day - 30 < beat // DAY_MS <= day for beat in one.beats):
            version, system = install_on(one, runs, day)
            versions[version] += 1
            systems[system] += 1
    return [versions, systems]


def install_on(one: PlainInstance, runs: Sequence[PlainRun], day: int) -> tuple[str, str]:
    """Version and system of an instance by its last run until a day; without runs, by what it told at all."""
    told = [(r.began, r.version, f"{r.os} {r.os_version}") for r in runs if r.who == one.who and r.began]
    told = told or [(one.told_at, one.version, f"{one.os} {one.os_version}".strip())]
    _, version, system = max((t for t in told if t[0] // DAY_MS <= day), default=(0, "", ""))
    return version, system


def came_and_left(fleet: Sequence[PlainInstance]) -> list[Counter[int]]:
    """The days on which instances were new, came back, and were lost."""
    new, back, lost = Counter[int](), Counter[int](), Counter[int]()
    for one in fleet:
        days = sorted({beat // DAY_MS for beat in one.beats}) if one.established else []
        for number, day in enumerate(days):
            if not number:
                new[day] += 1
            elif day - days[number - 1] > 30:
                back[day] += 1
                lost[days[number - 1] + 30] += 1
        if days:
            lost[days[-1] + 30] += 1
    return [new, back, lost]


def failed_together(runs: Sequence[PlainRun]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Failed runs of one place, version and system: how many, of whom, and when the first and last began."""
    found: defaultdict[tuple[Any, ...], list[PlainRun]] = defaultdict(list)
    for run in runs:
        if run.place:
            found[run.place, run.version, run.word("system")].append(run)
    return {
        group: (len(same), {run.who for run in same}, min(times), max(times))
        for group, same in found.items()
        if (times := [run.began or 0 for run in same])
    }

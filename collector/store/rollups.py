"""What is counted as events arrive, so that the page need not read them again.

Every number here is a function of the set of events, whatever their order: a recount over the
events gives the same (tests prove it). Only which words are counted by themselves depends on the
order (`words.py`). `Ledger` holds what one transaction touches: rows loaded first, then each new
event counted, then the changes.

An instance's heartbeats are kept as a set of six-hour slots: bit 0 of `slots` is the first slot of
`first_day`. That is small, gives its timeline with its gaps, and says exactly what a late heartbeat
adds to "alive in the 30 days before".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from collector.base.events import BEAT, STARTED, SUCCESS, SUPPORT, Event, Fact
from collector.base.times import DAY_MS
from collector.store import schema
from collector.store.words import OTHER, Word

SLOT_MS = 6 * 3_600_000
SLOTS_A_DAY = DAY_MS // SLOT_MS
ESTABLISHED_MS = DAY_MS
SPANS = (1, 7, 30)

Key = tuple[int, bytes]
_DAY = (1 << SLOTS_A_DAY) - 1
_WEEK = (1 << 7 * SLOTS_A_DAY) - 1


@dataclass(slots=True)
class InstanceRow:
    """An installation that reported; the fields are the columns of its row."""

    source: int
    id: bytes
    first_seen: int
    last_seen: int
    last_beat: int | None = None
    beats: int = 0
    first_day: int = 0
    slots: int = 0
    facts_at: int | None = None
    version: str = ""
    os: str = ""
    os_version: str = ""

    @property
    def established(self) -> bool:
        return self.last_seen - self.first_seen > ESTABLISHED_MS

    @property
    def standing(self) -> tuple[int, int]:
        """Where it is counted: established (older than a day) or not, and its week of installation."""
        return int(self.established), week_of(self.first_seen // DAY_MS)

    def saw(self, event: Event) -> None:
        self.first_seen = min(self.first_seen, event.time)
        self.last_seen = max(self.last_seen, event.time)
        if event.name == BEAT:
            self.beats += 1
            self.last_beat = max(self.last_beat or 0, event.time)
            self._mark(event.time)
        elif event.fact:
            facts = (event.time, event.fact.version, event.fact.os, event.fact.os_version)
            known = (self.facts_at or 0, self.version, self.os, self.os_version)
            self.facts_at, self.version, self.os, self.os_version = max(facts, known)

    def _mark(self, time: int) -> None:
        day = time // DAY_MS
        if not self.slots:
            self.first_day = day
        elif day < self.first_day:
            self.slots <<= (self.first_day - day) * SLOTS_A_DAY
            self.first_day = day
        self.slots |= 1 << (time // SLOT_MS - self.first_day * SLOTS_A_DAY)


@dataclass(slots=True)
class RunRow:
    """One run of an install script; the fields are the columns of its row."""

    source: int
    id: bytes
    instance: bytes
    version: str = ""
    os: str = ""
    os_version: str = ""
    started: int | None = None
    ended: int | None = None
    outcome: str | None = None
    duration: int | None = None
    reason: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    script: str | None = None
    line: int | None = None
    command: str | None = None
    asked: int | None = None
    email: str | None = field(default=None, repr=False)
    reference: str | None = None

    def saw(self, event: Event, fact: Fact) -> None:
        """Take note of an event of this run; of two that disagree the later one holds."""
        self.instance = max(self.instance, event.who or b"")
        self.version, self.os, self.os_version = max(
            (self.version, self.os, self.os_version),
            (fact.version, fact.os, fact.os_version),
        )
        if event.name == STARTED:
            self.started = event.time if self.started is None else min(self.started, event.time)
        elif event.name == SUPPORT:
            asked = (event.time, fact.email, fact.reference)
            self.asked, self.email, self.reference = _later((self.asked, self.email, self.reference), asked)
        else:
            self._ended(event, fact)

    @property
    def began(self) -> int | None:
        return self.ended if self.started is None else self.started

    @property
    def failed_at(self) -> str:
        """Script, line, program and end in one text, as the database computes its column `place`."""
        code = None if self.exit_code is None else str(self.exit_code)
        end = self.signal or code or self.reason or ""
        line = "" if self.line is None else str(self.line)
        return schema.SEPARATOR.join((self.script or "", line, self.command or "", end))

    @property
    def standing(self) -> list[tuple[str, int, str, str]]:
        """Where it is counted: kind, the day it began, word, and how it ended, or that it has not."""
        if self.began is None:
            return []
        day, outcome = self.began // DAY_MS, self.outcome or "open"
        words = {"all": "", "version": self.version, "system": system_name(self.os, self.os_version)}
        if outcome == "errors":
            words["place"] = self.failed_at
        return [(kind, day, word, outcome) for kind, word in words.items()]

    def _ended(self, event: Event, fact: Fact) -> None:
        known = (self.ended, self.outcome, *_ending(self))
        told = (event.time, "success" if event.name == SUCCESS else "errors", *_ending(fact))
        self.ended, self.outcome, self.duration, self.reason, self.exit_code, *place = _later(known, told)
        self.signal, self.script, self.line, self.command = place


class Ledger:
    """The instances, runs and counters that one transaction touches."""

    def __init__(self) -> None:
        self.instances: dict[Key, InstanceRow] = {}
        self.runs: dict[Key, RunRow] = {}
        self._counted: dict[Key, tuple[tuple[int, int], int, int]] = {}  # standing, first day and slots
        self.daily: Counter[tuple[int, int, str, str]] = Counter()
        self.active: Counter[tuple[int, int, int, int]] = Counter()
        self.outcomes: Counter[tuple[int, str, int, str, str]] = Counter()
        self.cohorts: Counter[tuple[int, int, int]] = Counter()
        self.retention: Counter[tuple[int, int, int, int]] = Counter()

    def load_instances(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows of instances as they are before this transaction."""
        for row in rows:
            instance = InstanceRow(*row)
            instance.slots = int.from_bytes(row[7], "little")
            self.instances[instance.source, instance.id] = instance

    def load_runs(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows of runs as they are before this transaction."""
        for row in rows:
            run = RunRow(*row)
            self.runs[run.source, run.id] = run

    def count(self, event: Event) -> None:
        """Count an event that was really inserted."""
        fact = event.fact
        self.daily[event.source, event.time // DAY_MS, event.type, event.name] += 1
        if fact is None or event.who is None:
            return
        self._count_instance(event, event.who)
        if event.run is not None and event.name != BEAT:
            self._count_run(event, event.who, event.run, fact)

    def words(self) -> set[Word]:
        """The words in what was counted."""
        names = {(source, "name", day, name) for source, day, _, name in self.daily}
        return names | {key[:4] for key in self.outcomes if key[1] != "all"}

    def changes(self, admitted: Collection[Word]) -> Iterator[tuple[schema.Table, list[tuple[Any, ...]]]]:
        """Every row to write, sorted by key within its table; words that are not admitted are OTHER."""
        for key, counted in self._counted.items():
            self._recount(self.instances[key], *counted)
        yield schema.INSTANCES, [_instance_row(self.instances[key]) for key in sorted(self.instances)]
        yield schema.RUNS, [_run_row(self.runs[key]) for key in sorted(self.runs)]
        yield schema.DAILY, _counter_rows(self._folded_daily(admitted))
        yield schema.ACTIVE, _counter_rows(self.active)
        yield schema.OUTCOMES, _counter_rows(self._folded_outcomes(admitted))
        yield schema.COHORTS, _counter_rows(self.cohorts)
        yield schema.RETENTION, _counter_rows(self.retention)

    def _count_run(self, event: Event, who: bytes, key: bytes, fact: Fact) -> None:
        run = self.runs.setdefault((event.source, key), RunRow(event.source, key, who))
        before = run.standing
        run.saw(event, fact)
        after = run.standing
        if before != after:
            for standing, step in ((before, -1), (after, 1)):
                for kind, day, word, outcome in standing:
                    self.outcomes[event.source, kind, day, word, outcome] += step

    def _folded_daily(self, admitted: Collection[Word]) -> Counter[tuple[int, int, str, str]]:
        folded: Counter[tuple[int, int, str, str]] = Counter()
        for (source, day, call, name), n in self.daily.items():
            known = (source, "name", day, name) in admitted
            folded[source, day, call, name if known else OTHER] += n
        return folded

    def _folded_outcomes(self, admitted: Collection[Word]) -> Counter[tuple[int, str, int, str, str]]:
        folded: Counter[tuple[int, str, int, str, str]] = Counter()
        for (source, kind, day, word, outcome), n in self.outcomes.items():
            known = kind == "all" or (source, kind, day, word) in admitted
            folded[source, kind, day, word if known else OTHER, outcome] += n
        return folded

    def _count_instance(self, event: Event, who: bytes) -> None:
        key = (event.source, who)
        instance = self.instances.get(key)
        if instance is None:
            instance = self.instances[key] = InstanceRow(*key, event.time, event.time)
            self._enrol(key[0], instance.standing, 1)
        self._counted.setdefault(key, (instance.standing, instance.first_day, instance.slots))
        instance.saw(event)

    def _enrol(self, source: int, standing: tuple[int, int], step: int) -> None:
        established, cohort = standing
        self.cohorts[source, cohort, established] += step

    def _recount(self, instance: InstanceRow, standing: tuple[int, int], first_day: int, slots: int) -> None:
        """Move an instance from where it was counted to where it is now.

        This runs once per transaction, however many events it brought. Only what differs is touched,
        because an instance may have thousands of days.
        """
        if standing != instance.standing:
            self._enrol(instance.source, standing, -1)
            self._enrol(instance.source, instance.standing, 1)
        elif slots == instance.slots and first_day == instance.first_day:
            return
        days = days_of(slots) << (first_day - instance.first_day) * SLOTS_A_DAY if slots else 0
        now = days_of(instance.slots)
        same = standing == instance.standing
        if same and days == now:
            return
        for span in SPANS:
            for old, new, sign in zip(edges(days, span), edges(now, span), (1, -1), strict=True):
                both = old & new if standing[0] == instance.standing[0] else 0
                for where, mask, step in ((standing, old, -sign), (instance.standing, new, sign)):
                    for offset in _bits_of(mask ^ both, SLOTS_A_DAY):
                        self.active[instance.source, instance.first_day + offset, span, where[0]] += step
        first_week, old = weeks_of(instance.first_day, days)
        _, new = weeks_of(instance.first_day, now)
        both = old & new if same else 0
        for (established, cohort), mask, step in ((standing, old, -1), (instance.standing, new, 1)):
            for offset in _bits_of(mask ^ both, 1):
                self.retention[instance.source, cohort, established, first_week + offset] += step


def system_name(os: str, os_version: str) -> str:
    """`debian 12`."""
    return f"{os} {os_version}".strip()


def week_of(day: int) -> int:
    """The week of a day, counted from Monday 1969-12-29."""
    return (day + 3) // 7


def days_of(slots: int) -> int:
    """The days with a heartbeat in any slot: bit 4n stands for day n."""
    if slots <= _DAY:
        return int(slots > 0)
    folded = slots | slots >> 1 | slots >> 2 | slots >> 3
    return folded & (1 << (slots.bit_length() + 3) // 4 * 4) // 15  # 0x…1111


def edges(days: int, span: int) -> tuple[int, int]:
    """The days on which an instance comes to life, and those on which it no longer counts.

    It counts as alive on each heartbeat's day and span - 1 more. Bit 4n stands for day n, as in `days_of`.
    """
    if days == 1:
        return 1, 1 << span * SLOTS_A_DAY
    width = 1
    while width < span:
        step = min(width, span - width)
        days |= days << step * SLOTS_A_DAY
        width += step
    after = days << SLOTS_A_DAY
    return days & ~after, after & ~days


def weeks_of(first_day: int, days: int) -> tuple[int, int]:
    """The week of a day, and the weeks with a heartbeat: bit n stands for that week + n."""
    days <<= (first_day + 3) % 7 * SLOTS_A_DAY
    weeks = offset = 0
    while days:
        weeks |= bool(days & _WEEK) << offset
        days >>= 7 * SLOTS_A_DAY
        offset += 1
    return week_of(first_day), weeks


def _bits_of(mask: int, width: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield (lowest.bit_length() - 1) // width
        mask ^= lowest


_ending = attrgetter("duration", "reason", "exit_code", "signal", "script", "line", "command")
_instance_fields = attrgetter(*(one.name for one in fields(InstanceRow)))
_run_row = attrgetter(*(one.name for one in fields(RunRow)))


def _instance_row(instance: InstanceRow) -> tuple[Any, ...]:
    row = _instance_fields(instance)
    slots = instance.slots.to_bytes((instance.slots.bit_length() + 7) // 8, "little")
    return (*row[:7], slots, *row[8:])


def _counter_rows(counter: Mapping[Any, int]) -> list[tuple[Any, ...]]:
    return [(*key, counter[key]) for key in sorted(counter) if counter[key]]


def _later(known: tuple[Any, ...], told: tuple[Any, ...]) -> tuple[Any, ...]:
    """The one with the later time; of two at once the greater, so that order does not matter."""
    if known[0] is None:
        return told
    return max(known, told, key=lambda fields: (fields[0], [(f is not None, str(f)) for f in fields[1:]]))

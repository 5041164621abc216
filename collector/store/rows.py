"""The row of an instance and the row of a run: what they are after one more event, and where they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from collector.base.events import BEAT, STARTED, SUCCESS, SUPPORT, Event, Fact
from collector.base.times import DAY_MS
from collector.store.packed_slots import pack_slots, unpack_slots
from collector.store.schema import SEPARATOR
from collector.store.scope import TOTAL, kind_within, standing_within
from collector.store.spans import SLOT_MS, SLOTS_A_DAY, week_of

ESTABLISHED_MS = DAY_MS


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
    environment: int = 0
    environment_at: int | None = None

    @property
    def established(self) -> bool:
        return self.last_seen - self.first_seen > ESTABLISHED_MS

    @property
    def standing(self) -> tuple[int, int]:
        """Where it is counted: by environment and whether it is older than a day; and its first week."""
        number = standing_within(self.environment, established=self.established)
        return number, week_of(self.first_seen // DAY_MS)

    def saw(self, event: Event) -> None:
        if event.name == BEAT:
            self.beat(event.time)
            return
        self._saw_at(event.time)
        if event.fact:
            facts = (event.time, event.fact.version, event.fact.os, event.fact.os_version)
            known = (self.facts_at or 0, self.version, self.os, self.os_version)
            self.facts_at, self.version, self.os, self.os_version = max(facts, known)
        if event.fact and event.run is not None:  # only an install says what it is for
            said = (event.time, event.fact.environment)
            self.environment_at, self.environment = max(said, (self.environment_at or 0, self.environment))

    def beat(self, time: int) -> None:
        """Take note of a heartbeat."""
        self._saw_at(time)
        self.beats += 1
        self.last_beat = max(self.last_beat or 0, time)
        self._mark(time)

    def _saw_at(self, time: int) -> None:
        self.first_seen = min(self.first_seen, time)
        self.last_seen = max(self.last_seen, time)

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
    environment: int = 0

    def saw(self, event: Event, fact: Fact) -> None:
        """Take note of an event of this run; of two that disagree the later one holds."""
        self.instance = max(self.instance, event.who or b"")
        self.version, self.os, self.os_version = max(
            (self.version, self.os, self.os_version),
            (fact.version, fact.os, fact.os_version),
        )
        self.environment = max(self.environment, fact.environment)
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
        return SEPARATOR.join((self.script or "", line, self.command or "", end))

    @property
    def standing(self) -> list[tuple[str, int, str, str]]:
        """Where it is counted: kind, the day it began, word, and how it ended, or that it has not."""
        if self.began is None:
            return []
        day, outcome = self.began // DAY_MS, self.outcome or "open"
        words = {TOTAL: "", "version": self.version, "system": system_name(self.os, self.os_version)}
        if outcome == "errors":
            words["place"] = self.failed_at
        return [(kind_within(kind, self.environment), day, word, outcome) for kind, word in words.items()]

    def _ended(self, event: Event, fact: Fact) -> None:
        known = (self.ended, self.outcome, *_ending(self))
        told = (event.time, "success" if event.name == SUCCESS else "errors", *_ending(fact))
        self.ended, self.outcome, self.duration, self.reason, self.exit_code, *place = _later(known, told)
        self.signal, self.script, self.line, self.command = place


def system_name(os: str, os_version: str) -> str:
    """`debian 12`."""
    return f"{os} {os_version}".strip()


def instance_of(row: Sequence[Any]) -> InstanceRow:
    """The instance in a row of the database."""
    instance = InstanceRow(*row)
    instance.slots = unpack_slots(row[7])
    return instance


def instance_row(instance: InstanceRow) -> tuple[Any, ...]:
    """The row of an instance, as the database has it."""
    row = _instance_fields(instance)
    return (*row[:7], pack_slots(instance.slots), *row[8:])


_ending = attrgetter("duration", "reason", "exit_code", "signal", "script", "line", "command")
_instance_fields = attrgetter(*(one.name for one in fields(InstanceRow)))
run_row = attrgetter(*(one.name for one in fields(RunRow)))


def _later(known: tuple[Any, ...], told: tuple[Any, ...]) -> tuple[Any, ...]:
    """The one with the later time; of two at once the greater, so that order does not matter."""
    if known[0] is None:
        return told
    return max(known, told, key=lambda fields: (fields[0], [(f is not None, str(f)) for f in fields[1:]]))

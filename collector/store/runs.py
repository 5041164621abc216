"""Runs of install scripts, as an event store tells of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from collector.base.times import DAY_MS
from collector.store.rows import RunRow, system_name
from collector.store.schema import SEPARATOR

# A run counts as given up if no end has arrived after this time.
GIVE_UP_MS = DAY_MS

# The first days of so many words are told: a page sorts them.
MOST_FIRST_DAYS = 1_000

# Where a page of a list of runs ended: the time at which its last run began (or asked for help), and its id.
RunsEnd = tuple[int, bytes]
# Before every run, and after every run.
NO_RUN: RunsEnd = (-1, b"")
LATEST: RunsEnd = (2**62, b"")

RUN_STATES = ("succeeded", "failed", "given up", "running", "stuck")

# How open runs that began less than a day ago are named beside the outcomes in a store.
RUNNING = "running"


@dataclass
class RunCounts:
    """Runs by how they ended. Open runs count as running for a day, then as given up."""

    succeeded: int = 0
    failed: int = 0
    given_up: int = 0
    running: int = 0

    @property
    def started(self) -> int:
        return self.succeeded + self.failed + self.given_up + self.running

    @property
    def ended(self) -> int:
        """Those that are over: given up counts as an end."""
        return self.started - self.running

    @property
    def rate(self) -> float | None:
        """The share of finished runs that succeeded."""
        return self.succeeded / self.ended if self.ended else None

    def merge(self, other: RunCounts) -> None:
        """Count the other's runs as well."""
        self.succeeded += other.succeeded
        self.failed += other.failed
        self.given_up += other.given_up
        self.running += other.running

    def add(self, outcome: str, n: int) -> None:
        """Add n runs with an outcome from the store; RUNNING moves open runs from given up to running."""
        if outcome == "success":
            self.succeeded += n
        elif outcome == "errors":
            self.failed += n
        elif outcome == RUNNING:
            self.running += n
            self.given_up -= n
        else:
            self.given_up += n


class Run(RunRow):
    """One run of an install script."""

    @property
    def place(self) -> Place:
        end = self.signal or (None if self.exit_code is None else str(self.exit_code)) or self.reason or ""
        return Place(self.script or "", "" if self.line is None else str(self.line), self.command or "", end)

    @property
    def took(self) -> int | None:
        """How long it took: as it said, or from its start to its end."""
        if self.duration is not None:
            return self.duration
        if self.started is None or self.ended is None or self.ended < self.started:
            return None
        return self.ended - self.started

    def state(self, now: int) -> str:
        """`succeeded`, `failed`, `running` or `given up`."""
        if self.outcome:
            return "succeeded" if self.outcome == "success" else "failed"
        return "running" if (self.began or 0) > now - GIVE_UP_MS else "given up"


@dataclass(frozen=True, order=True)
class Place:
    """Where and how runs failed; failures at one place are one group."""

    script: str
    line: str
    command: str
    end: str  # signal, exit code or reason

    @property
    def key(self) -> str:
        """The text by which the store finds it."""
        return SEPARATOR.join((self.script, self.line, self.command, self.end))


def place_of(key: str) -> Place:
    """The place with a key. A client may send further separators; they stay in `end`."""
    script, line, command, end = key.split(SEPARATOR, 3)
    return Place(script, line, command, end)


@dataclass(frozen=True)
class RunFilter:
    """Which runs a list has. `stuck` is the last run of an instance, if it failed or was given up."""

    state: str = ""  # one of RUN_STATES, or empty for any
    version: str | None = None  # None for any
    system: str | None = None


class FailedRuns(NamedTuple):
    """Runs that failed at one place with the same version and system."""

    place: Place
    version: str
    system: str
    runs: int
    instances: frozenset[bytes]
    first: int  # when the first of them began
    last: int


def group_failed(rows: Iterable[Sequence[Any]]) -> list[FailedRuns]:
    """The groups of failed runs, by their places' keys, versions, systems, instances and times."""
    groups: defaultdict[tuple[str, ...], list[tuple[bytes, int]]] = defaultdict(list)
    for place, version, os, os_version, who, began in rows:
        groups[place, version, os, os_version].append((bytes(who), began))
    return [
        FailedRuns(place_of(place), version, system_name(os, os_version), len(runs), *_spread(runs))
        for (place, version, os, os_version), runs in groups.items()
    ]


def _spread(runs: Sequence[tuple[bytes, int]]) -> tuple[frozenset[bytes], int, int]:
    times = [began for _, began in runs]
    return frozenset(who for who, _ in runs), min(times), max(times)


@dataclass
class Failure:
    """The runs that failed at one place within a period."""

    place: Place
    runs: int
    instances: int
    last_seen: int
    first_seen: int  # ever, not only within the period

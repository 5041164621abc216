"""Failures grouped by the step that failed, across versions whose line numbers moved.

Two failures are of one step if they have the same script, program and end, and the line of one is where the
line of the other has moved to. Versions are followed from the latest release back, and each line goes to the
step that was nearest in the release after.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from collector.page.analysis.release_order import in_release_order
from collector.store.runs import FailedRuns, Place

# A line that moved further from one version to the next is another step.
MOST_MOVED = 60

_Kind = tuple[str, str, str]


@dataclass
class Step:
    """One step of an install script, and the runs that failed at it."""

    script: str
    command: str
    end: str
    runs: int = 0
    instances: set[bytes] = field(default_factory=set)
    lines: dict[str, str] = field(default_factory=dict)  # by version, the latest release first
    by_version: Counter[str] = field(default_factory=Counter)
    by_system: Counter[str] = field(default_factory=Counter)
    first: int = 0
    last: int = 0

    @property
    def line(self) -> str:
        """Its line in the latest release that has it."""
        return next(iter(self.lines.values()), "")

    @property
    def place(self) -> Place:
        """Where it failed in that release."""
        return Place(self.script, self.line, self.command, self.end)

    @property
    def other_lines(self) -> list[str]:
        """Its lines in the releases before."""
        return [line for line in dict.fromkeys(self.lines.values()) if line != self.line]

    @property
    def places(self) -> list[tuple[str, Place]]:
        """Where it failed in each version, the latest release first."""
        return [
            (version, Place(self.script, line, self.command, self.end))
            for version, line in self.lines.items()
        ]

    def saw(self, failed: FailedRuns) -> None:
        """Count runs that failed at it."""
        self.runs += failed.runs
        self.instances |= failed.instances
        self.by_version[failed.version] += failed.runs
        self.by_system[failed.system] += failed.runs
        self.first = min(self.first or failed.first, failed.first)
        self.last = max(self.last, failed.last)


def group_steps(failed: Sequence[FailedRuns]) -> list[Step]:
    """The steps at which runs failed; the one that hurts most instances comes first."""
    kinds: defaultdict[_Kind, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for one in failed:
        kinds[_kind(one.place)][one.version].add(one.place.line)
    steps: dict[tuple[_Kind, str, str], Step] = {}
    for kind, lines in kinds.items():
        _follow(kind, lines, steps)
    for one in failed:
        steps[_kind(one.place), one.version, one.place.line].saw(one)
    found = list({id(step): step for step in steps.values()}.values())
    return sorted(found, key=lambda one: (-len(one.instances), -one.runs, one.place))


def _kind(place: Place) -> _Kind:
    return place.script, place.command, place.end


def _follow(kind: _Kind, lines: dict[str, set[str]], steps: dict[tuple[_Kind, str, str], Step]) -> None:
    """Find the step of each line of each version."""
    known: list[Step] = []
    for version in in_release_order(lines):
        left = set(lines[version])
        for step, line in _matched(known, left):
            steps[kind, version, line] = step
            step.lines[version] = line
            left.discard(line)
        for line in sorted(left):
            step = steps[kind, version, line] = Step(*kind, lines={version: line})
            known.append(step)


def _matched(known: Sequence[Step], lines: Iterable[str]) -> list[tuple[Step, str]]:
    """Each line with the step whose line is nearest, as far as it is near; no step has two."""
    pairs = sorted(
        (distance, number, line)
        for number, step in enumerate(known)
        for line in lines
        if (distance := _distance(next(reversed(step.lines.values())), line)) <= MOST_MOVED
    )
    found: dict[int, str] = {}
    taken = set[str]()
    for _, number, line in pairs:
        if number not in found and line not in taken:
            found[number] = line
            taken.add(line)
    return [(known[number], line) for number, line in found.items()]


def _distance(one: str, other: str) -> int:
    if one == other:
        return 0
    # A name with the separator of places in it is split. Then any text may be the line, even `²`.
    numbers = one.isdecimal() and other.isdecimal()
    return abs(int(one) - int(other)) if numbers else MOST_MOVED + 1

"""How a fleet changed: which version and system its instances had on each day, and who came and left."""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from collector.base.events import counted_word, mapping
from collector.base.times import DAY_MS
from collector.store.rows import system_name
from collector.store.spans import SLOTS_A_DAY, SPANS, bits_of, days_of, edges

# An instance belongs to the fleet for this many days from a heartbeat on, the heartbeat's day included.
SPAN = SPANS[-1]

# The latest upgrades and installs of an instance that count. A year of weekly ones fits.
MOST_UPGRADES = MOST_INSTALLS = 60

# Words by the day on which instances begin or end to count for them: how many more than on the day before.
Changes = dict[str, Counter[int]]

# The times and versions of the latest upgrades of each instance, in order of time.
Upgrades = defaultdict[bytes, deque[tuple[int, str]]]


class Installed(NamedTuple):
    """An instance has this version and system from a day on."""

    day: int
    version: str
    system: str


# The latest installs of each instance, in order of time.
Installs = defaultdict[bytes, list[tuple[int, Installed]]]


def with_upgrades(
    installs: Sequence[tuple[int, Installed]], upgrades: Iterable[tuple[int, str]]
) -> list[Installed]:
    """What an instance had from when on, in order: an upgrade tells a version, and changes no system.

    Both are given with their times, each list in order of time.
    """
    told: list[tuple[int, str, str | None]] = [(at, one.version, one.system) for at, one in installs]
    told += [(at, version, None) for at, version in upgrades]
    found: list[Installed] = []
    for at, version, system in sorted(told, key=lambda one: one[0]):
        known = found[-1].system if found else ""
        found.append(Installed(at // DAY_MS, version, known if system is None else system))
    return found


def latest_installs(rows: Iterable[Sequence[Any]]) -> Installs:
    """The installs of some instances, from rows in any order: instance, time, version, system, its version.

    Only the latest are kept: whoever has a write key makes up any number.
    """
    found: Installs = defaultdict(list)
    for who, at, version, *system in rows:
        mine = found[bytes(who)]
        insort(mine, (at, Installed(at // DAY_MS, version, system_name(*system))))
        del mine[:-MOST_INSTALLS]
    return found


def latest_upgrades(rows: Iterable[tuple[bytes, int, str]]) -> Upgrades:
    """The upgrades of some instances, from rows in order of time: instance, time, and JSON of the event.

    The JSON is dropped row by row, and only the latest upgrades are kept: whoever has a write key sends them.
    """
    found: Upgrades = defaultdict(lambda: deque(maxlen=MOST_UPGRADES))
    for who, at, body in rows:
        if version := _version_after(body):
            found[bytes(who)].append((at, version))
    return found


def _version_after(body: str) -> str:
    properties = mapping(msgspec.json.decode(body)).get("properties")
    return counted_word(mapping(properties).get("to"))


@dataclass
class FleetHistory:
    """Established instances that were active in the 30 days up to a day; a fact of the events alone."""

    versions: Changes = field(default_factory=lambda: defaultdict(Counter))
    systems: Changes = field(default_factory=lambda: defaultdict(Counter))
    new: Counter[int] = field(default_factory=Counter)  # by the day of the first heartbeat
    back: Counter[int] = field(default_factory=Counter)  # by the day of a heartbeat after 30 days without
    lost: Counter[int] = field(default_factory=Counter)  # by the first day on which they no longer count

    def count(self, first_day: int, slots: int, installs: Sequence[Installed]) -> None:
        """Count an instance by its slots with a heartbeat, and its installs in their order."""
        came, left = (list(bits_of(mask, SLOTS_A_DAY)) for mask in edges(days_of(slots), SPAN))
        known = [Installed(0, "", ""), *installs]
        ends = [one.day for one in installs] + [first_day + (left[-1] if left else 0)]
        for number, (begin, end) in enumerate(zip(came, left, strict=True)):
            begin, end = begin + first_day, end + first_day  # noqa: PLW2901 - days since 1970
            (self.back if number else self.new)[begin] += 1
            self.lost[end] += 1
            for one, until in zip(known, ends, strict=True):
                since, until = max(one.day, begin), min(until, end)  # noqa: PLW2901 - within both
                if since < until:
                    for changes, word in ((self.versions, one.version), (self.systems, one.system)):
                        changes[word][since] += 1
                        changes[word][until] -= 1


def levels(changes: Counter[int], first: int, last: int) -> list[int]:
    """How many there were on each of these days."""
    before = sum(n for day, n in changes.items() if day < first)
    return list(accumulate((changes[day] for day in range(first, last + 1)), initial=before))[1:]


def on_day(changes: Changes, day: int) -> Counter[str]:
    """How many there were of each word on a day."""
    counted = Counter({word: sum(n for at, n in days.items() if at <= day) for word, days in changes.items()})
    return +counted

"""Instances, one and all, as an event store tells of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from collector.base.times import DAY_MS, MONTH, WEEK
from collector.store.rows import InstanceRow
from collector.store.spans import SLOT_MS, SLOTS_A_DAY, SPANS

# Two missed heartbeats: twice the interval of the agent, plus its jitter.
SILENT_MS = 2 * SLOT_MS + 15 * 60_000
GONE_MS = MONTH * DAY_MS
STATES = ("beating", "silent", "gone", "never")
# The lists of established instances with a heartbeat in the last days, by their number.
ACTIVE = {1: "active 24h", WEEK: "active 7d", MONTH: "active"}

# Where a page of the list ended: the time at which its last instance was last seen, and its id.
InstancesEnd = tuple[int, bytes]
# Before every instance, and after every instance.
EARLIEST: InstancesEnd = (-1, b"")
LATEST: InstancesEnd = (2**62, b"")


@dataclass(frozen=True)
class InstanceFilter:
    """Which instances a list has: those in a state, of a version, and of a system; all, if none is given."""

    state: str = "all"
    version: str | None = None
    system: str | None = None


class Instance(InstanceRow):
    """One installation that reported."""

    def state(self, now: int) -> str:
        """`beating`, `silent` (two beats missed), `gone` (30 days) or `never`, by its last heartbeat."""
        if self.last_beat is None:
            return "never"
        if self.last_beat <= now - GONE_MS:
            return "gone"
        return "silent" if self.last_beat <= now - SILENT_MS else "beating"

    def state_on(self, day: int) -> str:
        """The same at the end of a day that is over: `silent` if it sent nothing on that day.

        `not yet`, if it was seen first after that day.
        """
        if self.first_seen // DAY_MS > day:
            return "not yet"
        beats = self.slots & (1 << max(0, day + 1 - self.first_day) * SLOTS_A_DAY) - 1
        if not beats:
            return "never"
        quiet = day - self.first_day - (beats.bit_length() - 1) // SLOTS_A_DAY
        return "beating" if not quiet else "silent" if quiet < SPANS[-1] else "gone"

    def beat_in(self, slot: int) -> bool:
        """Whether it sent a heartbeat in a slot of six hours, counted from 1970."""
        offset = slot - self.first_day * SLOTS_A_DAY
        return offset >= 0 and bool(self.slots >> offset & 1)


@dataclass
class Census:
    """Counts of instances at one moment, with established and short-lived ones apart."""

    at: int
    active: Counter[tuple[int, bool]] = field(default_factory=Counter)  # (span in days, established)
    states: Counter[tuple[str, bool]] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)  # of those active in 30 days and established
    systems: Counter[str] = field(default_factory=Counter)
    first_days: Counter[int] = field(default_factory=Counter)  # established ones by the day they were
    last_days: Counter[int] = field(default_factory=Counter)  # first seen, and last seen

    def new(self, first: int, last: int) -> int:
        """Established instances that were first seen on these days."""
        return sum(n for day, n in self.first_days.items() if first <= day <= last)

    def returning(self, first: int) -> int:
        """Established instances that were first seen before this day, and seen since."""
        seen = sum(n for day, n in self.last_days.items() if day >= first)
        return seen - sum(n for day, n in self.first_days.items() if day >= first)

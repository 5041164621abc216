"""Does a store have what a file has? Compared by source and day, as the page counts events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from collector.base.events import Event
from collector.base.times import DAY_MS
from collector.store import EventStore


class DayDifference(NamedTuple):
    """A day of a source that has another number of events in the store than in the file."""

    source: int
    day: int
    in_file: int
    in_store: int


class DayCounts:
    """How many events of each source and day were read."""

    def __init__(self) -> None:
        self._days: dict[int, Counter[int]] = {}

    def counted(self, events: Iterator[Event]) -> Iterator[Event]:
        """The same events; each is counted as it passes."""
        for event in events:
            self._days.setdefault(event.source, Counter())[event.time // DAY_MS] += 1
            yield event

    def differences(self, store: EventStore) -> list[DayDifference]:
        """The days that differ, of the sources that were read, in order."""
        found = []
        for source, read in sorted(self._days.items()):
            stored = store.count_all_by_day(source)
            days = [(day, read[day], stored.get(day, 0)) for day in sorted(read.keys() | stored.keys())]
            found += [DayDifference(source, *counts) for counts in days if counts[1] != counts[2]]
        return found

    @property
    def days(self) -> int:
        """How many days were read, over all sources."""
        return sum(map(len, self._days.values()))

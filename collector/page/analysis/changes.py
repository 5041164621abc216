"""What a change means: whether a level changed by more than it usually does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collector.base.times import WEEK

# The changes of so many weeks before say what is usual, if the fleet is old enough for the second number.
WEEKS, LEAST_WEEKS = 8, 3


@dataclass(frozen=True)
class Change:
    """A change, and the range of those before it; the range is None if too few are known."""

    value: int
    usual: tuple[int, int] | None

    @property
    def meaning(self) -> str:
        """`more` or `less` than usual, `usual`, or `unknown`."""
        if self.usual is None:
            return "unknown"
        return "more" if self.value > self.usual[1] else "less" if self.value < self.usual[0] else "usual"


def change_of(now: int, levels: Mapping[int, int], day: int, back: int) -> Change:
    """The change since `back` days before a day; each change before it ends some whole weeks earlier.

    So a weekday is compared with the same weekday, if `back` is whole weeks.
    """
    known = [
        levels[end] - levels[end - back]
        for end in range(day - WEEKS * WEEK, day, WEEK)
        if levels.get(end - back) and end in levels
    ]
    usual = (min(known), max(known)) if len(known) >= LEAST_WEEKS else None
    return Change(now - levels[day - back], usual)

"""The stretch of whole days (UTC) that a view shows, as the URL says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from collector.base.times import DAY_MS

# How many days each named period has; it ends with today, or with `to`.
NAMED = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
DEFAULT = "month"
LONGEST = 3660
# A chart of fewer days says little: it shows the days before as well, pale.
SHORTEST_CHART = 7
# More days than these are drawn by the week.
MOST_BARS = 92

_EPOCH = date(1970, 1, 1)


class BadPeriod(ValueError):  # noqa: N818 - an outcome
    """A period that cannot be read; the message says what is accepted."""


@dataclass(frozen=True)
class Period:
    """Days since 1970, first and last included; `today` is the day it is."""

    name: str
    first: int
    last: int
    today: int

    @property
    def days(self) -> int:
        return self.last - self.first + 1

    @property
    def from_ms(self) -> int:
        return self.first * DAY_MS

    @property
    def until_ms(self) -> int:
        """The first instant after it."""
        return (self.last + 1) * DAY_MS

    @property
    def is_now(self) -> bool:
        """Whether it goes on at this moment."""
        return self.last == self.today

    @property
    def step(self) -> int:
        """Days that one bar of a chart stands for."""
        return 1 if self.days <= MOST_BARS else 7

    def bars(self) -> list[tuple[int, int]]:
        """The first and last day of each bar; the last bar ends with the period."""
        first = min(self.first, self.last - SHORTEST_CHART + 1)
        edges = range(self.last, first - 1, -self.step)
        return [(max(first, last - self.step + 1), last) for last in reversed(edges)]

    def each_day(self) -> list[tuple[int, int]]:
        """A point a day, as lines have: a level cannot be summed, and a dip of a day shall show."""
        return [(day, day) for day in range(self.bars()[0][0], self.last + 1)]

    def query(self) -> dict[str, str]:
        """What to put in a URL to get it again."""
        if self.name == "custom":
            return {"period": "custom", "from": iso(self.first), "to": iso(self.last)}
        return {"period": self.name} if self.is_now else {"period": self.name, "to": iso(self.last)}

    def shifted(self, steps: int) -> Period | None:
        """The same length so many lengths later, or None where nothing has happened yet, or ever."""
        last = min(self.last + steps * self.days, self.today)
        first = last - self.days + 1
        if first < 0 or (steps > 0 and self.is_now):
            return None
        return Period(self.name, first, last, self.today)


def read_period(query: Mapping[str, str], now: int) -> Period:
    """The period that a query names; BadPeriod says what is wrong with it."""
    today = now // DAY_MS
    name = query.get("period") or ("custom" if query.get("from") else DEFAULT)
    last = min(_day(query.get("to"), "to", today), today)
    if name == "custom":
        first = _day(query.get("from"), "from", last - NAMED[DEFAULT] + 1)
    elif name in NAMED:
        first = last - NAMED[name] + 1
    else:
        msg = f"a period is one of {', '.join(NAMED)} or custom"
        raise BadPeriod(msg)
    if not max(last - LONGEST, -1) < first <= last:
        msg = f"a period begins after 1969, ends after it begins, and has at most {LONGEST} days"
        raise BadPeriod(msg)
    return Period(name, first, last, today)


def iso(day: int) -> str:
    """`2026-11-20` for a day."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def day_of(text: str) -> int:
    """The day that `2026-11-20` is; ValueError where it is none."""
    return (date.fromisoformat(text) - _EPOCH).days


def _day(text: str | None, name: str, default: int) -> int:
    if not text:
        return default
    try:
        return day_of(text)
    except ValueError:
        msg = f"`{name}` is a day such as 2026-11-20"
        raise BadPeriod(msg) from None

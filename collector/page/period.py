"""The whole days (UTC) that a view shows, read from the URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from collector.base.times import DAY_MS, MONTH, WEEK

# The number of days of each named period. It ends today, or on the day `to`.
NAMED = {"day": 1, "week": WEEK, "month": MONTH, "quarter": 91, "year": 365}
DEFAULT = "month"
LONGEST = 3660
# A chart shows at least this many days; days before the period are pale.
SHORTEST_CHART = 7
# With more days, one bar stands for a week.
MOST_BARS = 92

_EPOCH = date(1970, 1, 1)


class BadPeriod(ValueError):  # noqa: N818 - an outcome
    """A period is not valid; the message says what is accepted."""


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
    def ends(self) -> tuple[int, int]:
        """Its first and last day."""
        return self.first, self.last

    @property
    def weeks_back(self) -> int:
        """How many whole weeks before it the period is that it is compared with: the same weekdays."""
        return -(-self.days // WEEK)

    @property
    def before(self) -> tuple[int, int]:
        """The first and last day of that period."""
        back = self.weeks_back * WEEK
        return self.first - back, self.last - back

    @property
    def until_ms(self) -> int:
        """The first instant after it."""
        return (self.last + 1) * DAY_MS

    @property
    def is_now(self) -> bool:
        """Whether it includes today."""
        return self.last == self.today

    @property
    def step(self) -> int:
        """Days that one bar of a chart stands for."""
        return 1 if self.days <= MOST_BARS else WEEK

    def bars(self) -> list[tuple[int, int]]:
        """The first and last day of each bar; the last bar ends with the period."""
        first = min(self.first, self.last - SHORTEST_CHART + 1)
        edges = range(self.last, first - 1, -self.step)
        return [(max(first, last - self.step + 1), last) for last in reversed(edges)]

    def each_day(self) -> list[tuple[int, int]]:
        """One point per day, for line charts: a dip of a single day must be visible."""
        return [(day, day) for day in range(self.bars()[0][0], self.last + 1)]

    def query(self) -> dict[str, str]:
        """The URL parameters of this period."""
        if self.name == "custom":
            return {"period": "custom", "from": iso(self.first), "to": iso(self.last)}
        return {"period": self.name} if self.is_now else {"period": self.name, "to": iso(self.last)}

    def shifted(self, steps: int) -> Period | None:
        """The period moved by `steps` lengths; None if it would be in the future or before 1970."""
        last = min(self.last + steps * self.days, self.today)
        first = last - self.days + 1
        if first < 0 or (steps > 0 and self.is_now):
            return None
        return Period(self.name, first, last, self.today)


def read_period(query: Mapping[str, str], now: int) -> Period:
    """The period that the URL parameters name. Raises BadPeriod."""
    today = now // DAY_MS
    name = query.get("period") or ("custom" if query.get("from") else DEFAULT)
    last = min(_day(query.get("to"), "to", today), today)
    if name == "custom":
        first = _day(query.get("from"), "from", last - NAMED[DEFAULT] + 1)
    elif name in NAMED:
        first = last - NAMED[name] + 1
    else:
        raise BadPeriod(f"`period` must be one of {', '.join(NAMED)} or custom")
    if not max(last - LONGEST, -1) < first <= last:
        raise BadPeriod(
            f"a period starts in 1970 or later, ends after its start, and has at most {LONGEST} days"
        )
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
        raise BadPeriod(f"`{name}` must be a day such as 2026-11-20") from None

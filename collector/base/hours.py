"""Times of the day and of the week, in UTC, as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from collector.base.times import DAY_MS, WEEK

MINUTE_MS = 60_000
WEEK_MS = WEEK * DAY_MS
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
QUIET = "hours such as 22:00-07:00 (UTC)"
WEEKLY = "a day and a time such as `mon 08:00` (UTC), or `off`"
# 1970 began on a Thursday; weeks are counted from the Monday before.
_MONDAY_MS = 3 * DAY_MS


@dataclass(frozen=True)
class QuietHours:
    """From one time of the day up to another, in milliseconds; the night is between two days."""

    begin: int
    end: int

    def end_after(self, now: int) -> int:
        """When the quiet hours that it is now in are over; `now` if it is in none."""
        time = now % DAY_MS
        if self.begin < self.end:
            is_quiet = self.begin <= time < self.end
        else:
            is_quiet = time >= self.begin or time < self.end
        return now + (self.end - time) % DAY_MS if is_quiet else now


@dataclass(frozen=True)
class WeeklyTime:
    """A time of each week, in milliseconds since its Monday."""

    offset: int

    def last(self, now: int) -> int:
        """The latest such time up to now."""
        return now - (now + _MONDAY_MS - self.offset) % WEEK_MS


def read_quiet(text: str) -> QuietHours | None:
    """The hours in `22:00-07:00`; None for an empty text. ValueError if it is something else."""
    if not text:
        return None
    begin, _, end = text.partition("-")
    hours = QuietHours(_time(begin), _time(end))
    if hours.begin == hours.end:
        raise ValueError
    return hours


def read_weekly(text: str) -> WeeklyTime | None:
    """The time in `mon 08:00`; None for `off`. ValueError if it is something else."""
    if text.lower() == "off":
        return None
    day, _, time = text.lower().partition(" ")
    return WeeklyTime(DAYS.index(day) * DAY_MS + _time(time.strip()))


def _time(text: str) -> int:
    match = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", text.strip())
    if match is None:
        raise ValueError
    return (int(match[1]) * 60 + int(match[2])) * MINUTE_MS

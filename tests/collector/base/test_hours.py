"""Hours of a day and of a week, as settings write them."""

from __future__ import annotations

import pytest

from collector.base.hours import MINUTE_MS, WEEK_MS, read_quiet, read_weekly
from collector.base.times import DAY_MS

HOUR = 60 * MINUTE_MS
MONDAY = 20_003 * DAY_MS


@pytest.mark.parametrize(
    ("text", "hour", "until"),
    [
        ("22:00-07:00", 21, 21),
        ("22:00-07:00", 22, 31),
        ("22:00-07:00", 0, 7),
        ("22:00-07:00", 7, 7),
        ("12:00-13:30", 13, 13.5),
        ("12:00-13:30", 11, 11),
        ("12:00-13:30", 14, 14),
    ],
)
def test_quiet_hours_may_go_over_midnight(text: str, hour: int, until: float) -> None:
    quiet = read_quiet(text)
    assert quiet
    assert quiet.end_after(MONDAY + hour * HOUR) == MONDAY + until * HOUR


def test_a_weekly_time_is_the_last_one_up_to_now() -> None:
    weekly = read_weekly("mon 08:00")
    assert weekly
    due = MONDAY + 8 * HOUR
    assert weekly.last(due) == due
    assert weekly.last(due - 1) == due - WEEK_MS
    assert weekly.last(due + WEEK_MS - 1) == due
    sunday = read_weekly("Sun 23:59")
    assert sunday
    assert sunday.last(MONDAY) == MONDAY - MINUTE_MS


def test_nothing_and_off_are_none() -> None:
    assert read_quiet("") is None
    assert read_weekly("off") is None

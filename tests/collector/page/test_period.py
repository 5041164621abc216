"""Which days a view shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.base.times import DAY_MS
from collector.page.period import NAMED, BadPeriod, Period, day_of, iso, read_period

NOW = day_of("2026-11-20") * DAY_MS + 5


@pytest.mark.parametrize(("name", "days"), NAMED.items())
def test_a_named_period_ends_today_or_on_the_day_it_is_told(name: str, days: int) -> None:
    period = read_period({"period": name}, NOW)
    assert (period.days, iso(period.last), period.is_now) == (days, "2026-11-20", True)
    past = read_period({"period": name, "to": "2026-03-01"}, NOW)
    assert (past.days, iso(past.last), past.is_now) == (days, "2026-03-01", False)


@pytest.mark.parametrize(
    "query",
    [
        {"period": "fortnight"},
        {"from": "2026-13-01"},
        {"from": "yesterday"},
        {"from": "2026-05-02", "to": "2026-05-01"},
        {"from": "1990-01-01"},
        {"period": "day", "to": "0000-00-00"},
    ],
    ids=str,
)
def test_what_is_no_period_is_refused_in_words(query: dict[str, str]) -> None:
    with pytest.raises(BadPeriod):
        read_period(query, NOW)


def test_the_future_is_not_shown() -> None:
    assert read_period({"period": "week", "to": "2030-01-01"}, NOW).is_now
    assert read_period({"period": "week"}, NOW).shifted(1) is None


@given(st.integers(1, 3000), st.integers(0, 400))
def test_bars_cover_the_period_once_and_in_order(days: int, ago: int) -> None:
    today = NOW // DAY_MS
    period = Period("custom", today - ago - days + 1, today - ago, today)
    bars = period.bars()
    covered = [day for first, last in bars for day in range(first, last + 1)]
    assert covered == sorted(set(covered))
    assert set(range(period.first, period.last + 1)) <= set(covered)
    assert bars[-1][1] == period.last
    assert len(period.each_day()) >= 7


@given(st.integers(1, 3000), st.integers(0, 400))
def test_a_period_comes_back_from_its_address_and_steps_there_and_back(days: int, ago: int) -> None:
    today = NOW // DAY_MS
    period = Period("custom", today - ago - days + 1, today - ago, today)
    assert read_period(period.query(), NOW) == period
    back = period.shifted(-1)
    assert back is not None
    assert back.last == period.first - 1
    assert back.shifted(1) == period


@pytest.mark.parametrize("name", NAMED)
def test_a_period_is_compared_with_the_same_weekdays_just_before_it(name: str) -> None:
    period = read_period({"period": name}, NOW)
    first, last = period.before
    assert last - first == period.last - period.first
    assert (period.first - first) % 7 == 0
    assert 0 < period.first - last <= 7

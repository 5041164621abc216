"""Which days a view shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.base.times import DAY_MS
from collector.page.charts import Series, bar_chart, nice_top
from collector.page.period import NAMED, BadPeriod, Period, day_of, iso, read_period
from collector.page.view_types import ViewTable

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


@given(st.floats(0, 1e9))
def test_a_scale_holds_its_highest_value_and_is_not_much_taller(highest: float) -> None:
    top = nice_top(highest)
    assert top >= highest
    assert top <= max(4, 2 * highest)
    assert top % 4 == 0


@pytest.mark.parametrize("count", [7, 8, 30, 53, 91, 3660])
def test_a_label_names_the_day_that_stands_above_it(count: int) -> None:
    days = [(20_000 + n, 20_000 + n) for n in range(count)]
    chart = bar_chart(ViewTable("t", "T", (), ()), days, (Series("n", "good", [1] * count),), 0)
    width = 100 / len(chart.x_labels)
    for index, label in enumerate(chart.x_labels):
        middle = (index + 0.5) * width
        above = [h.text for h in chart.hovers if h.x - 0.01 <= middle <= h.x + h.width + 0.01]
        assert any(text.startswith(f"{label}\n") for text in above)

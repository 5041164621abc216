"""Charts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.page.charts import Series, bar_chart, nice_top
from collector.page.view_types import ViewTable


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

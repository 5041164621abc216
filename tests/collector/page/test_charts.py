"""Charts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.base.times import DAY_MS
from collector.page.charts import Mark, Series, bar_chart, line_chart
from collector.page.scales import LEAST_SPAN, nice_top, scale_around, scale_of_shares
from collector.page.view_types import ViewTable
from tests.collector.page.client import PageClient
from tests.collector.page.stories import HOUR, INSTANCE, event


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
    assert len(chart.x_labels) == (count if count == 7 else 5)
    for x, label in chart.x_labels:
        bar = next(bar for bar in chart.bars if bar.x < x < bar.x + bar.width)
        assert x == pytest.approx(bar.x + bar.width / 2, abs=0.01)
        assert chart.values[chart.bars.index(bar)].startswith(f"{label}:")


@given(st.floats(0, 1e9), st.floats(0, 1))
def test_a_scale_of_lines_holds_all_values_and_shows_their_change(highest: float, share: float) -> None:
    lowest = highest * share
    scale = scale_around(lowest, highest)
    assert 0 <= scale.bottom <= lowest
    assert scale.top >= highest
    assert scale.top - scale.bottom >= LEAST_SPAN * highest
    if lowest > 0.8 * highest and highest > 100:
        assert scale.bottom >= highest / 2


def test_a_scale_of_shares_begins_where_the_values_do() -> None:
    assert [scale_of_shares(lowest).bottom for lowest in (0.0, 0.59, 0.6, 0.85)] == [0, 0, 0.6, 0.8]
    assert scale_of_shares(0.85).labels == ("100 %", "95 %", "90 %", "85 %", "80 %")
    assert scale_around(190, 210).labels == ("230", "220", "210", "200", "190")
    assert scale_around(90, 167).labels == ("175", "150", "125", "100", "75")


def test_a_mark_stands_at_its_day_and_is_told_with_its_values() -> None:
    days, table = [(n, n + 6) for n in range(20_000, 20_070, 7)], ViewTable("t", "T", (), ())
    inside, outside = (
        Mark(20_016, "release", "2.0 released", "/x"),
        Mark(19_000, "release", "1.0 released", "/y"),
    )
    chart = line_chart(table, days, (Series("n", "good", [7] * 10),), [inside, outside])
    assert [(one.x, one.mark) for one in chart.marks] == [(25.0, inside)]
    assert chart.values[2].endswith("n 7, 2.0 released")
    assert not any("released" in text for text in (*chart.values[:2], *chart.values[3:]))


def test_the_days_of_an_instance_tell_its_heartbeats(client: PageClient, send: Callable[..., None]) -> None:
    send(event("Instance Active", 2 * DAY_MS), event("Instance Active", DAY_MS + HOUR))
    text = client.get(f"/instance/{INSTANCE}?period=week").text
    values = text.partition('<div class="values"')[2].partition("</div>")[0]
    told = [part.partition("</span>")[0].partition(": ")[2] for part in values.split("<span>")[1:]]
    assert len(told) == 7
    assert (told[0], told[-2]) == ("0 received, 0 missed", "1 received, 3 missed")

"""A rate's range, beside published values of Wilson's interval."""

from __future__ import annotations

import pytest

from collector.page.analysis.rates import compare_rates, rate_of
from collector.store.runs import RunCounts


@pytest.mark.parametrize(
    ("succeeded", "of", "low", "high"),
    # Newcombe 1998, table I, method 3: without continuity correction.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_range_is_wilsons(succeeded: int, of: int, low: float, high: float) -> None:
    rate = rate_of(RunCounts(succeeded, of - succeeded, 0, running=7))
    assert rate.value == pytest.approx(succeeded / of)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=0.00006)


def test_a_difference_means_something_only_if_the_ranges_part() -> None:
    few, many = RunCounts(5, 5), RunCounts(900, 100)
    assert compare_rates(rate_of(few), rate_of(many)) == "worse"
    assert compare_rates(rate_of(many), rate_of(few)) == "better"
    assert compare_rates(rate_of(RunCounts(3, 1)), rate_of(many)) == "noise"
    assert compare_rates(rate_of(RunCounts()), rate_of(many)) == "noise"

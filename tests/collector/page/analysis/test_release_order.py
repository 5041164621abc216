"""Versions in the order of their releases."""

from __future__ import annotations

import random

from collector.page.analysis.release_order import in_release_order, outliers

ORDER = [
    *("nightly", "main", "0.9", "1.2.0-alpha.2", "1.2.0-beta", "1.2.0-rc1", "1.2.0-rc.2", "1.2"),
    *("1.2.0", "1.2.0-1", "1.9.3", "v1.10.0", "1.10.1", "2024.1", "2024.10.2", "9" * 40),
]


def test_numbers_count_as_numbers_and_a_candidate_comes_before_its_release() -> None:
    mixed = ORDER[:]
    random.Random(1).shuffle(mixed)
    assert in_release_order(mixed) == ORDER[::-1]


def test_an_outlier_has_no_number_or_next_to_nobody() -> None:
    runs = {"1.0": 500, "1.1": 3, "9.9-dev": 2, "main": 40}
    assert outliers(runs) == {"9.9-dev", "main"}
    runs = {"1.0": 5000, "1.1": 3, "2.0-rc1": 40, "2.1-rc1": 60, "9.9.9-dev": 6}
    assert outliers(runs) == {"2.0-rc1", "9.9.9-dev"}  # few of those that come before a release
    assert outliers({"1.0": 5, "1.1": 1}) == set()

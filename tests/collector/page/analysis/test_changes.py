"""What a change of a level means."""

from __future__ import annotations

import pytest

from collector.page.analysis.changes import Change, change_of

DAY = 20_000
# A level that falls by 50 on every weekend, and grows by one each week.
LEVELS = {day: 1000 + day // 7 - 50 * (day % 7 > 4) for day in range(DAY - 70, DAY + 1)}


def test_a_weekend_is_compared_with_weekends() -> None:
    for day in range(DAY - 6, DAY + 1):
        assert change_of(LEVELS[day], LEVELS, day, 7) == Change(1, (1, 1))
        assert change_of(LEVELS[day], LEVELS, day, 7).meaning == "usual"


@pytest.mark.parametrize(("added", "meaning"), [(0, "usual"), (1, "more"), (-1, "less")])
def test_a_change_beyond_those_before_means_something(added: int, meaning: str) -> None:
    assert change_of(LEVELS[DAY] + added, LEVELS, DAY, 7).meaning == meaning


def test_a_young_fleet_has_no_usual_change() -> None:
    young = {day: 0 if day < DAY - 25 else 10 for day in LEVELS}
    assert change_of(12, young, DAY, 7) == Change(2, None)
    assert change_of(12, young, DAY, 7).meaning == "unknown"

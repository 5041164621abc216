"""Failures that grew since the release before, and those of which chance explains it."""

from __future__ import annotations

import pytest

from collector.page.analysis.rises import Rise, Side, rises_of, side_of
from collector.page.analysis.steps import Step
from collector.store.runs import FailedRuns, Place, RunCounts


def step(line: int, now: int, before: int) -> Step:
    found = Step("install.sh", "curl", "6", lines={"1.10.0": str(line)})
    found.by_version.update({"1.10.0": now, "1.9.0": before})
    return found


@pytest.mark.parametrize(
    ("now", "before", "meaning"),
    [
        ((167, 1339), (34, 964), "grew"),
        ((34, 964), (167, 1339), "fell"),
        ((36, 1000), (34, 964), "noise"),
        ((2, 30), (1, 30), "noise"),  # twice as many, of few
        ((6, 6), (34, 964), "few"),
        ((167, 1339), (0, 6), "few"),
    ],
)
def test_a_failure_grew_only_if_chance_does_not_explain_it(
    now: tuple[int, int], before: tuple[int, int], meaning: str
) -> None:
    rise = Rise(step(51, now[0], before[0]), Side("1.10.0", now[1]), Side("1.9.0", before[1]))
    assert rise.meaning == meaning
    assert rise.by == pytest.approx(now[0] / now[1] - before[0] / before[1])


def test_the_failure_that_grew_most_comes_first_by_its_share() -> None:
    """Its runs say little: the release before had fewer installs."""
    steps = [step(1, 300, 100), step(2, 90, 0), step(3, 5, 20)]
    found = rises_of(steps, Side("1.10.0", 3000), Side("1.9.0", 1000))
    assert [one.step.line for one in found] == ["2", "1", "3"]
    assert [round(one.by, 3) for one in found] == [0.03, 0.0, -0.018]


def test_a_share_stays_true_if_only_some_failures_were_read() -> None:
    """Of 400 failures of 1,000 installs 100 were read: they stand for 250 installs."""
    place = Place("install.sh", "51", "curl", "6")
    read = [FailedRuns(place, "1.10.0", "debian 12", 100, frozenset(), 0, 0)]
    counts = RunCounts(succeeded=600, failed=400, running=50)
    assert side_of("1.10.0", counts, read) == Side("1.10.0", 250)
    assert side_of("1.10.0", RunCounts(succeeded=600, failed=100), read) == Side("1.10.0", 700)
    assert side_of("1.9.0", counts, read) == Side("1.9.0", 0)  # none of its failures: nothing is known

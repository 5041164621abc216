"""Steps whose lines moved."""

from __future__ import annotations

from collector.page.analysis.steps import group_steps
from collector.store.runs import FailedRuns, Place


def failed(version: str, line: str, who: bytes = b"a", end: str = "6", command: str = "curl") -> FailedRuns:
    return FailedRuns(
        Place("install.sh", line, command, end), version, "debian 12", 1, frozenset([who]), 1, 1
    )


def test_a_line_goes_to_the_nearest_line_of_the_next_version() -> None:
    runs = [
        *(failed("1.0", "40"), failed("1.0", "80"), failed("1.1", "46", b"b")),
        *(failed("1.10", "50"), failed("1.10", "91"), failed("1.2", "89")),
    ]
    steps = group_steps(runs)
    assert [list(step.lines.items()) for step in steps] == [
        [("1.10", "50"), ("1.1", "46"), ("1.0", "40")],
        [("1.10", "91"), ("1.2", "89"), ("1.0", "80")],
    ]
    assert [(len(step.instances), step.runs) for step in steps] == [(2, 3), (1, 3)]


def test_another_program_another_exit_code_or_a_line_far_away_is_another_step() -> None:
    runs = [
        *(failed("1.0", "40"), failed("1.1", "41", end="7"), failed("1.1", "41", command="wget")),
        *(failed("1.1", "400"), failed("1.1", "")),
    ]
    assert len(group_steps(runs)) == len(runs)


def test_two_lines_of_one_version_are_two_steps() -> None:
    assert len(group_steps([failed("1.0", "40"), failed("1.0", "41"), failed("1.1", "42")])) == 2


def test_a_line_that_is_no_number_is_near_no_other() -> None:
    """Whoever has a write key sends a script's name with the separator of places in it."""
    runs = [failed("1.0", "40"), failed("1.0", "\u00b2"), failed("1.1", "\u00b3"), failed("1.1", "\u00b2")]
    assert sorted(step.runs for step in group_steps(runs)) == [1, 1, 2]

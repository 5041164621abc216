"""No public number, nor the difference of two, speaks of fewer than ten instances."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.public.publisher import past_of
from collector.public.rounding import (
    LEAST,
    LEAST_TRIED,
    SUCCESS,
    TOTAL,
    Cell,
    Place,
    Truth,
    count_cell,
    public_cells,
    rate_cell,
)
from collector.store.words import OTHER

# An instance is a version and a system; a week is how many there are of each pair, and how installs went.
WORDS = st.sampled_from(["1.0", "1.1", "2.0", "odd <b>word", ""])
SYSTEMS = st.sampled_from(["debian 12", "ubuntu 24.04"])
PAIRS = st.dictionaries(st.tuples(WORDS, SYSTEMS), st.integers(0, 45), max_size=8)
INSTALLS = st.tuples(st.integers(0, 90), st.integers(0, 40))
WEEKS = st.lists(st.tuples(PAIRS, INSTALLS), min_size=1, max_size=12)
# Weeks in which little changes are where a difference would tell of few.
STEPS = st.lists(st.integers(-12, 12), min_size=1, max_size=40)


def truth_of(pairs: dict[tuple[str, str], int], installs: tuple[int, int]) -> Truth:
    versions, systems = Counter[str](), Counter[str]()
    for (version, system), count in pairs.items():
        versions[version] += count
        systems[system] += count
    succeeded, failed = installs
    words = {"version": versions, "system": systems}
    return Truth(sum(pairs.values()), succeeded + failed, succeeded, words)


@settings(max_examples=300, deadline=None)
@given(WEEKS)
def test_no_number_and_no_difference_of_two_speaks_of_fewer_than_ten(
    weeks: list[tuple[dict[tuple[str, str], int], tuple[int, int]]],
) -> None:
    published: list[dict[Place, Cell]] = []
    for pairs, installs in weeks:
        truth = truth_of(pairs, installs)
        cells = public_cells(truth, past_of(published))
        published.append(cells)
        check_week(truth, cells)
    for place, cells_ever in past_of(published).items():
        for one, other in combinations(cells_ever, 2):
            check_difference(place, one, other)


def check_week(truth: Truth, cells: dict[Place, Cell]) -> None:
    for (kind, word), cell in cells.items():
        if (kind, word) == SUCCESS:
            assert truth.tried >= LEAST_TRIED
            assert truth.succeeded >= LEAST
            assert cell.of * (100 - cell.value) >= 100 * LEAST  # at least ten are said to have failed
            assert cell.of * cell.value >= 0
        else:
            assert cell.value >= LEAST
            assert cell.value % LEAST == 0  # so any sum or difference of numbers is 0, or at least ten
            assert cell.made_from - LEAST < cell.value <= cell.made_from
        assert word in ("", OTHER) or word.replace(".", "").replace(" ", "").isalnum()
    for kind, words in truth.words.items():
        hidden = truth.active - sum(words[word] for of, word in cells if of == kind and word != OTHER)
        assert hidden >= LEAST or (kind, OTHER) not in cells
        for word, count in words.items():
            assert count >= LEAST or (kind, word) not in cells
    assert truth.active >= LEAST or TOTAL not in cells


def check_difference(place: Place, one: Cell, other: Cell) -> None:
    """Two numbers that ever stood in one place, whenever that was."""
    if one.value == other.value:
        return
    assert max(abs(one.made_from - other.made_from), abs(one.of - other.of)) >= LEAST
    if place != SUCCESS:
        assert abs(one.value - other.value) >= LEAST


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 120), STEPS)
def test_a_number_that_drifts_is_followed_in_steps_of_ten(start: int, steps: list[int]) -> None:
    count, past = start, list[Cell]()
    for step in steps:
        count = max(0, count + step)
        cell = count_cell(count, past)
        if cell:
            past.append(cell)
            assert abs(cell.made_from - count) < LEAST
    for one, other in combinations(past, 2):
        check_difference(TOTAL, one, other)


def test_a_number_is_kept_where_another_would_tell_of_a_few() -> None:
    shown = Cell(120, 129)
    assert count_cell(130, [shown]) == count_cell(138, [shown]) == count_cell(120, [shown]) == shown
    assert count_cell(139, [shown]) == Cell(130, 139)
    assert count_cell(130, [shown, Cell(150, 155)]) is None  # it came from afar, and 129 is near
    assert rate_cell(100, 70, [Cell(60, 39, 100)]) == Cell(60, 39, 100)
    assert rate_cell(100, 71, [Cell(60, 39, 100)]) == Cell(70, 29, 100)


def test_the_rate_says_nothing_of_a_few_that_failed() -> None:
    assert rate_cell(100, 100, ()) == rate_cell(100, 91, ()) == Cell(90, 10, 100)
    assert rate_cell(1000, 1000, ()) == Cell(95, 10, 1000)
    assert rate_cell(100, 60, ()) == Cell(60, 40, 100)
    assert rate_cell(19, 19, ()) is None
    assert rate_cell(30, 9, ()) is None


def test_what_could_become_a_link_is_counted_with_the_others() -> None:
    words = {"version": {"evil.com": 30, "nightly": 20, "1.0": 10}, "system": {"evil.com": 20, "debian": 40}}
    cells = public_cells(Truth(60, 0, 0, words), {})
    shown = {place: cell.value for place, cell in cells.items()}
    versions = {("version", "1.0"): 10, ("version", OTHER): 50}
    assert shown == {TOTAL: 60, **versions, ("system", "debian"): 40, ("system", OTHER): 20}


def test_a_growing_fleet_is_shown_as_it_grows() -> None:
    past: list[Cell] = []
    for count in range(0, 1000, 7):
        if cell := count_cell(count, past):
            past.append(cell)
    assert [cell.value for cell in past[-3:]] == [980, 980, 980] or past[-1].value >= 970
    assert len({cell.value for cell in past}) > 40

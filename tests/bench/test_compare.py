import time
from collections.abc import Callable

import pytest

from bench import __main__ as command
from bench.compare import goal, middle_half, ratio, rounds, rows, table, timed


def test_rounds_are_interleaved_and_each_starts_elsewhere() -> None:
    seen: list[str] = []

    def contender(name: str) -> Callable[[], float]:
        def figure() -> float:
            seen.append(name)
            return float(len(seen))

        return figure

    results = rounds(2, {name: contender(name) for name in "abc"}, warm_up=1)

    assert ["".join(seen[i : i + 3]) for i in range(0, 9, 3)] == ["cab", "abc", "bca"]
    assert results == {"a": [4, 9], "b": [5, 7], "c": [6, 8]}


def test_medians_are_set_against_the_reference() -> None:
    first, second = rows({"bare": [1, 2, 3], "ours": [2, 4, 90]}, "bare")

    assert (first.median, first.ratio) == (2, 1)
    assert (second.median, second.ratio) == (4, 2)
    assert ratio({"bare": [2.0], "ours": [3.0]}, "ours", "bare") == 1.5


def test_one_figure_is_its_own_middle_half() -> None:
    assert middle_half([5]) == (5, 5)
    assert middle_half([1, 2, 3, 4, 5]) == (2, 4)


def test_the_table_marks_the_reference_and_says_how_many_rounds() -> None:
    text = table({"bare": [1.0, 2.0, 3.0], "ours": [3.0, 3.0, 3.0]}, reference="bare", unit="ms")

    assert "median ms" in text
    assert "of 3 rounds" in text
    assert "bare*" in text
    assert "1.50×" in text


def test_a_goal_says_whether_it_is_met() -> None:
    assert goal("start", 1.9, 2).startswith("met ")
    assert goal("start", 2.1, 2).startswith("MISSED")
    assert goal("throughput", 0.96, 0.95, at_least=True).startswith("met ")


def test_timed_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [7.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    assert timed(lambda: clock.append(clock.pop() + 0.25))() == 250


def test_benches_are_listed_and_an_unknown_one_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main([]) == 0
    assert "python -m bench NAME" in capsys.readouterr().out
    assert command.main(["no-such"]) == 2
    assert "no 'no-such'" in capsys.readouterr().err

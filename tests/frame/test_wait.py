import pytest

from tests.wait import until


def test_until_returns_the_first_true_value() -> None:
    answers = iter([None, 0, "", "now", "later"])

    assert until(lambda: next(answers)) == "now"


def test_until_gives_up_in_time_and_says_on_what() -> None:
    with pytest.raises(TimeoutError, match=r"not within 0.05 s: the moon is blue"):
        until(lambda: False, timeout=0.05, why="the moon is blue")

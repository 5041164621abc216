import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.delivery.backoff import FIRST_BACKOFF, LONGEST_BACKOFF, LONGEST_WAIT, backoff, seconds_to_next_try
from agent.outbox.outbox import Trouble


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_backoff_is_full_jitter_with_a_ceiling(failures: int, chance: float) -> None:
    wait = backoff(failures, chance)

    assert 0 <= wait <= LONGEST_BACKOFF
    assert wait <= FIRST_BACKOFF * 2 ** min(failures, 20)


def test_backoff_doubles() -> None:
    spans = [backoff(failures, 1.0) for failures in range(12)]

    assert spans == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]


@pytest.mark.parametrize(
    ("next_try", "wait"),
    [(900.0, 0.0), (1000.0, 0.0), (1060.0, 60.0), (1000.0 + LONGEST_WAIT, LONGEST_WAIT)],
)
def test_the_next_try_is_waited_for(next_try: float, wait: float) -> None:
    assert seconds_to_next_try(Trouble(1, next_try, "500", ""), 1000.0) == wait


def test_where_nothing_failed_nothing_is_waited_for() -> None:
    assert seconds_to_next_try(None, 1000.0) == 0.0


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    assert seconds_to_next_try(Trouble(1, 1000.0 + LONGEST_WAIT + 1, "500", ""), 1000.0) == 0.0

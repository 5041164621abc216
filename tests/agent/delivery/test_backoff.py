import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.delivery.backoff import (
    EAGER_BACKOFF,
    LONGEST_BACKOFF,
    LONGEST_WAIT,
    backoff,
    backoff_limit,
    seconds_to_next_try,
)
from agent.outbox.outbox import Trouble


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_between_half_its_limit_and_the_limit(failures: int, chance: float) -> None:
    limit = backoff_limit(failures)

    assert limit / 2 <= backoff(limit, chance) <= limit <= LONGEST_BACKOFF


def test_the_limit_doubles() -> None:
    limits = [backoff_limit(failures) for failures in range(14)]

    assert limits == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 21600, 21600]
    assert [backoff_limit(failures, EAGER_BACKOFF) for failures in range(6)] == [10, 20, 40, 80, 90, 90]


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

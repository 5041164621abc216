"""Work that may hang has a bound."""

import threading
import time

import pytest

from agent.base.deadline import TookTooLong, within
from tests.wait import PATIENCE


def test_the_result_comes_back() -> None:
    assert within(PATIENCE, lambda: 42) == 42


def test_an_exception_comes_back_as_it_was_raised() -> None:
    def fail() -> None:
        raise KeyError("here")

    with pytest.raises(KeyError, match="here"):
        within(PATIENCE, fail)


def test_even_an_exit_comes_back() -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        within(PATIENCE, leave)


def test_what_hangs_is_left_behind_in_time() -> None:
    over = threading.Event()
    began = time.monotonic()

    with pytest.raises(TookTooLong):
        within(0.05, lambda: over.wait(PATIENCE))

    assert time.monotonic() - began < PATIENCE / 2
    over.set()


def test_no_time_at_all_is_too_little() -> None:
    over = threading.Event()
    with pytest.raises(TookTooLong):
        within(-1, lambda: over.wait(PATIENCE))
    over.set()


def test_what_is_left_behind_does_not_keep_the_process() -> None:
    over, before = threading.Event(), set(threading.enumerate())
    with pytest.raises(TookTooLong):
        within(0, lambda: over.wait(PATIENCE))
    left = set(threading.enumerate()) - before
    assert left
    assert all(thread.daemon for thread in left)
    over.set()

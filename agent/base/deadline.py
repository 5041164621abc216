"""Runs work that may hang in a thread, and stops waiting for it at a deadline."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class TookTooLong(Exception):  # noqa: N818 - reads as what it says
    """The work did not end in time. Its thread ends with the process at the latest."""


class _Work(threading.Thread, Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.result: T
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as why:  # noqa: BLE001 - raised again by whoever waits
            self.error = why


def within(seconds: float, work: Callable[[], T]) -> T:
    """The work's result, or its exception; TookTooLong after so many seconds, whatever hangs.

    Some work cannot be interrupted, such as a resolver that never answers: its thread is left behind.
    """
    thread = _Work(work)
    thread.start()
    thread.join(max(seconds, 0))
    if thread.is_alive():
        raise TookTooLong
    if thread.error is not None:
        raise thread.error
    return thread.result

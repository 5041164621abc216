"""Runs work that may hang in a thread, and stops waiting for it at a deadline."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class TookTooLong(Exception):  # noqa: N818 - reads as what it says
    """The work did not end in time. Its thread ends with the process at the latest."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """The work's result, or its exception; TookTooLong after so many seconds, whatever hangs.

    Some work cannot be interrupted, such as a resolver that never answers: its thread is left behind.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as why:  # noqa: BLE001 - raised again by whoever waits
            errors.append(why)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(seconds, 0))
    if errors:
        raise errors[0]
    if not results:
        raise TookTooLong
    return results[0]

"""Waiting for something to become true: the one place where a test pauses."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

STEP_SECONDS = 0.01
PATIENCE = 120.0
"""Seconds for what should come, the end of a process too. It measures nothing: it only ends a hang."""

T = TypeVar("T")


def until(condition: Callable[[], T], timeout: float = PATIENCE, why: str = "") -> T:
    """Return the first true value of condition, asked again and again; fail after timeout.

    Where there is an event to wait for (a process's end, a readable descriptor), wait for that.
    """
    deadline = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        if time.monotonic() >= deadline:
            what = why or getattr(condition, "__name__", "the condition")
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        threading.Event().wait(STEP_SECONDS)


def has_ended(process: Path) -> bool:
    """Whether a process, by its folder in /proc, is gone or a zombie. It may go while we look."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True

"""Locks that end when their holder does."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EAGER_AFTER = 0.1
EAGER_SECONDS = 0.0002
PATIENT_AFTER = 10.0
"""Whoever has waited longer waits for somebody's network, not for a turn, and need not look so often."""
PATIENT_SECONDS = 0.05


@contextmanager
def held(path: str, wait: float) -> Iterator[bool]:
    """Hold a lock on the file, waiting at most `wait` seconds; the value is whether we hold it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield _taken(handle, wait)
    finally:
        os.close(handle)


def pause(began: float) -> None:
    """Wait before another try. Whoever has waited longest tries most often, and so is next."""
    waited = max(time.monotonic() - began, EAGER_AFTER)
    if waited > PATIENT_AFTER:
        time.sleep(PATIENT_SECONDS)
    else:
        time.sleep(max((1 + os.urandom(1)[0]) / 100_000 * (EAGER_AFTER / waited) ** 2, EAGER_SECONDS))


def _taken(handle: int, wait: float) -> bool:
    began = time.monotonic()
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() - began >= wait:
                return False
            pause(began)
        else:
            return True

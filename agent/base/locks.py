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
def hold_lock(path: str, wait: float) -> Iterator[bool]:
    """Hold a lock on the file, waiting at most `wait` seconds; the value is whether we hold it."""
    handle = open_lock(path)
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


def open_lock(path: str) -> int:
    """A file to lock, made if there is none."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_lock(handle: int, *, shared: bool = False) -> bool:
    """Lock an open file, if nobody else has; the lock is held until the file is closed."""
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _taken(handle: int, wait: float) -> bool:
    began = time.monotonic()
    while not try_lock(handle):
        if time.monotonic() - began >= wait:
            return False
        pause(began)
    return True

"""Locks that die with their holder."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EAGER_AFTER, EAGER_STEP = 0.1, 0.0001


@contextmanager
def held(path: str, wait: float) -> Iterator[bool]:
    """Hold the lock file, waiting at most `wait` seconds; the value says whether it was had."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield _taken(handle, wait)
    finally:
        os.close(handle)


def pause(began: float) -> None:
    """Before another try, in small uneven steps; who has waited long looks more often, and so is next."""
    waited = time.monotonic() - began
    time.sleep(EAGER_STEP if waited > EAGER_AFTER else (1 + os.urandom(1)[0]) / 100_000)


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

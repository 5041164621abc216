"""The folder in which several workers keep their meters.

It goes with the server. A server that was killed leaves it behind, and the next one removes it. A lock in it
tells that somebody still uses it. The parent and its workers share the lock; it ends with the last of them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = "rollcall-collector-"
LOCK = "lock"


@contextmanager
def meters_folder() -> Iterator[str]:
    """A new folder, for as long as this process lives; those of dead servers are removed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{NAME}*"):
        _remove_if_abandoned(folder)
    with tempfile.TemporaryDirectory(prefix=NAME) as made:
        # Nobody sees the lock before it is taken.
        lock = os.open(f"{made}/new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.rename(f"{made}/new", f"{made}/{LOCK}")
            yield made
        finally:
            os.close(lock)


def _remove_if_abandoned(folder: Path) -> None:
    """Remove a folder of ours whose lock is free. Anybody may make a folder of this name where it stands."""
    with suppress(OSError):
        if folder.lstat().st_uid != os.geteuid():
            return
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)  # refuses a symlink
        finally:
            os.close(lock)

"""Senders that a wrapped install left in the background: some try for hours. No later test may meet one."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.wait import until


def remove(folder: Path) -> None:
    """Remove a folder that an install ran in. No sender may write into it meanwhile."""
    end_senders(folder)
    shutil.rmtree(folder)


def end_senders(below: Path) -> None:
    """End those whose state directory is below this folder, and wait until they have gone."""
    ended = []
    state = f"ROLLCALL_STATE_DIR={below}/".encode()
    for pid in _senders():
        with suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if any(entry.startswith(state) for entry in environment):
                os.kill(pid, signal.SIGTERM)
                ended.append(pid)
    until(lambda: not set(ended) & set(_senders()), why="the senders have ended")


def _senders() -> Iterator[int]:
    for name in os.listdir("/proc"):
        with suppress(OSError, ValueError):
            pid = int(name)
            if b"\0flush\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield pid

"""What a test leaves running, some of it for hours, such as senders: no later test may meet it."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.wait import until


def remove(folder: Path) -> None:
    """Remove a folder that an install or a server ran in: who still writes into it is ended or ends."""

    def is_removed() -> bool:
        end_senders(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    until(is_removed, why=f"nobody writes into {folder} any more")


def end_senders(below: Path) -> None:
    """End those whose state or home is in this folder, and wait until they have gone."""
    ended = []
    places = (f"ROLLCALL_STATE_DIR={below}/".encode(), f"HOME={below}/".encode())
    for pid in _senders():
        with suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if any((entry + b"/").startswith(places) for entry in environment):
                os.kill(pid, signal.SIGTERM)
                ended.append(pid)
    until(lambda: not set(ended) & set(_senders()), why="the senders have ended")


def _senders() -> Iterator[int]:
    for name in os.listdir("/proc"):
        with suppress(OSError, ValueError):
            pid = int(name)
            if b"\0flush\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield pid

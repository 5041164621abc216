"""What a test leaves running, some of it for hours, such as senders: no later test may meet it."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.wait import until

FORKNOEXEC = 0x40  # a flag in /proc/PID/stat


def remove(folder: Path) -> None:
    """Remove a folder that an install or a server ran in: who still writes into it is ended or ends."""

    def is_removed() -> bool:
        end_senders(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    until(is_removed, why=f"nobody writes into {folder} any more")


def end_senders(below: Path) -> None:
    """End those whose state or home is in this folder, and wait until they have gone."""

    def have_gone() -> bool:
        left = list(_senders(below))
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGTERM)  # again: who is about to become a sender forgets it
        return not left

    until(have_gone, why="the senders have ended")


def _senders(below: Path) -> Iterator[int]:
    """And who is about to become one."""
    for name in os.listdir("/proc"):
        with suppress(OSError, ValueError, IndexError):
            pid = int(name)
            is_one = b"\0flush\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
            if (is_one or _is_left_copy(pid, below)) and _is_at_home(pid, below):
                yield pid


def _is_left_copy(pid: int, below: Path) -> bool:
    """Whether it runs, became no other program since it was forked, and its parent is gone: a stranger is."""
    state, parent, *_ = fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return state != b"T" and bool(int(fields[6]) & FORKNOEXEC) and not _is_at_home(int(parent), below)


def _is_at_home(pid: int, below: Path) -> bool:
    places = (f"ROLLCALL_STATE_DIR={below}/".encode(), f"HOME={below}/".encode())
    with suppress(OSError):
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return any((entry + b"/").startswith(places) for entry in environment)
    return False

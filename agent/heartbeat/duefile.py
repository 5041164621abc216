"""The due time on disk: one small file, replaced at once or not at all.

Losing it costs one early beat, never more, so nothing here raises for a bad file.
"""

from __future__ import annotations

import json
import time

from agent.base.files import read_small, replace
from agent.heartbeat.due import Due, Now, from_json, to_json

LIMIT = 4096
"""No file of ours is longer; a longer one is somebody else's."""


def read(path: str) -> Due | None:
    """What was kept, or None: nothing there, not readable, or not ours."""
    try:
        return from_json(json.loads(read_small(path, LIMIT)))
    except (OSError, ValueError, RecursionError):
        return None


def write(path: str, due: Due) -> None:
    """Keep `due`; raises OSError where it cannot be kept, leaving the old one as it was."""
    replace(path, (json.dumps(to_json(due)) + "\n").encode())


def clocks() -> Now:
    """The machine's clocks as they are."""
    return Now(time.clock_gettime(time.CLOCK_BOOTTIME), time.time(), boot_id())


def boot_id(path: str = "/proc/sys/kernel/random/boot_id") -> str:
    """Which boot this is; empty where the kernel does not say (then only the clock counts)."""
    try:
        return read_small(path, LIMIT).decode().strip()
    except (OSError, ValueError):
        return ""

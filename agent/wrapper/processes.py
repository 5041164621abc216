"""What /proc says about processes: who is whose child, and which pid is still the same one."""

from __future__ import annotations

import os

MAX_DEPTH = 64


def started(pid: int) -> int:
    """When the process started, in ticks since boot: with the pid and the boot it is unique."""
    return _stat(pid)[1]


def boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb", buffering=0) as file:
            return file.read(64).decode("ascii").strip()
    except (OSError, ValueError):
        return "unknown"


def ancestors() -> list[tuple[int, int]]:
    """Parent, grandparent and so on, as (pid, start)."""
    found: list[tuple[int, int]] = []
    pid = os.getppid()
    while pid > 0 and len(found) < MAX_DEPTH:
        parent, start = _stat(pid)
        found.append((pid, start))
        pid = parent
    return found


def _stat(pid: int) -> tuple[int, int]:
    """(parent, start) of a process; zeros if it cannot be seen."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        return int(fields[1]), int(fields[19])
    except (OSError, ValueError, IndexError):
        return 0, 0

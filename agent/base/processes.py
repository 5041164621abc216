"""What the kernel says of this boot and its processes: parents, and whether a pid still is the same one."""

from __future__ import annotations

import os
import time

MAX_DEPTH = 64


def started(pid: int) -> int:
    """When the process started, in ticks since boot. Boot, pid and start together are unique."""
    return _stat(pid)[2]


def state(pid: int) -> str:
    """R, S, T (stopped), Z and so on; empty if it cannot be seen."""
    return _stat(pid)[0]


def boot_id(path: str = "/proc/sys/kernel/random/boot_id") -> str:
    """Which boot this is; empty where the kernel does not say."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(64).decode("ascii").strip()
    except (OSError, ValueError):
        return ""


def seconds_since_boot() -> float:
    """A clock that never jumps, and goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def ancestors() -> list[tuple[int, int]]:
    """Parent, grandparent and so on, as (pid, start)."""
    found: list[tuple[int, int]] = []
    pid = os.getppid()
    while pid > 0 and len(found) < MAX_DEPTH:
        _, parent, start = _stat(pid)
        found.append((pid, start))
        pid = parent
    return found


def _stat(pid: int) -> tuple[str, int, int]:
    """(state, parent, start) of a process; nothing and zeros if it cannot be seen."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        return fields[0].decode("ascii"), int(fields[1]), int(fields[19])
    except (OSError, ValueError, IndexError):
        return "", 0, 0

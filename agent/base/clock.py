"""The clocks: seconds since boot, which never jump and go on while the machine sleeps, and the wall clock."""

from __future__ import annotations

import time
from typing import NamedTuple

from agent.base.processes import boot_id, seconds_since_boot


class Now(NamedTuple):
    """One look at the clocks: seconds since boot, seconds since 1970, and which boot it is."""

    boot: float
    wall: float
    boot_id: str


def read_clocks() -> Now:
    """The machine's clocks as they are."""
    return Now(seconds_since_boot(), time.time(), boot_id())


def read_kernels_clocks(uptime: str = "/proc/uptime") -> Now:
    """The same, with the seconds since boot from the kernel's own file.

    A library that fakes the clocks of one process, as faketime does, fakes CLOCK_BOOTTIME too, and no file.
    Where there is no such file, no time passes in a boot without a name.
    """
    try:
        with open(uptime, "rb", buffering=0) as file:
            seconds = float(file.read(64).split()[0])
    except (OSError, ValueError, IndexError):
        return Now(0.0, time.time(), "")
    return Now(seconds, time.time(), boot_id())

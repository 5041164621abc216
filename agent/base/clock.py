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

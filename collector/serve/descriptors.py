"""File descriptors: how many connections a process can have open.

A server without a free descriptor refuses everybody, so it stops a little before.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import NamedTuple

# Descriptors for everything but connections: the database, logs, threads.
SPARE = 100
# Connections that may be accepted in one step, before any of them is looked at.
BACKLOG = 4096


class Allowance(NamedTuple):
    """How many connections may be open, and how many may wait to be accepted."""

    connections: int
    backlog: int


def allow(wanted: int) -> Allowance:
    """So many connections if possible; the process's limit is raised for them as far as that is allowed."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + BACKLOG + SPARE
    if limit < needed:
        raised = needed if most == resource.RLIM_INFINITY else min(needed, most)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, most))
            limit = raised
    backlog = min(BACKLOG, max(limit // 4, limit - wanted - SPARE))
    return Allowance(max(1, min(wanted, limit - backlog - SPARE)), backlog)

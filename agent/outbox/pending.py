"""Runs that are not in the outbox yet, as those who only read may show them. Nothing is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.events.catalogue import dumps
from agent.outbox.collect import read_runs
from agent.outbox.outbox import WAITING, LogEntry

if TYPE_CHECKING:
    from agent.base.statedir import StateDir
    from agent.events.facts import System
    from agent.outbox.outbox import OutboxReader

LEAST_FREE_BYTES = 64 * 1024
"""With less than this free on the disk, no event can be relied upon to be stored."""


def pending_entries(
    state: StateDir, outbox: OutboxReader | None, instance: str | None, system: System
) -> list[LogEntry]:
    """What the next verb that records or sends will take into the outbox, oldest first.

    They have no anonymousId where it is not known yet: the run is of an earlier boot, and there is no id.
    """
    found = []
    for endpoint, event in read_runs(state, instance or "", system):
        message_id, name, at = (str(event[key]) for key in ("messageId", "event", "timestamp"))
        if outbox is not None and outbox.find(message_id) is not None:
            continue
        shown = event if instance else {key: value for key, value in event.items() if key != "anonymousId"}
        found.append(LogEntry(WAITING, at, None, endpoint or None, message_id, name, dumps(shown)))
    return sorted(found, key=lambda entry: entry.recorded_at)


def storage_problem(state: StateDir) -> str | None:
    """Why nothing can be stored, if the disk is the reason."""
    try:
        disk = os.statvfs(state.path)
    except OSError:
        return None
    if disk.f_flag & os.ST_RDONLY:
        return "the disk is read-only, so nothing can be stored"
    free = (disk.f_bfree if os.geteuid() == 0 else disk.f_bavail) * disk.f_frsize
    if free < LEAST_FREE_BYTES or (disk.f_files and not disk.f_ffree):
        return "the disk is full, so nothing can be stored"
    return None

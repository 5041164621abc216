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


def run_entries(state: StateDir, instance: str | None, system: System) -> list[LogEntry]:
    """The events of all runs, oldest first. Read them before the outbox: it has what is taken in meanwhile.

    They have no anonymousId where it is not known yet: the run is of an earlier boot, and there is no id.
    """
    found = []
    for endpoint, event in read_runs(state, instance or "", system):
        message_id, name, at = (str(event[key]) for key in ("messageId", "event", "timestamp"))
        shown = event if instance else {key: value for key, value in event.items() if key != "anonymousId"}
        found.append(LogEntry(WAITING, at, None, endpoint or None, message_id, name, dumps(shown)))
    return sorted(found, key=lambda entry: entry.recorded_at)


def not_taken_in(runs: list[LogEntry], outbox: OutboxReader | None) -> list[LogEntry]:
    """What the next verb that records or sends will take into the outbox."""
    return [entry for entry in runs if outbox is None or outbox.find(entry.message_id) is None]


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

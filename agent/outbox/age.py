"""How long a settled event has been in the log, by a clock that nobody can set.

The wall clock may be wrong by years, and one look at it must not delete a log. So the outbox keeps a clock of
its own: the seconds between two looks in the same boot, by the kernel's uptime, added up. That is never more
than the time that really passed. Each settled event is stamped with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from agent.base.clock import Now

BOOT = "boot "
"""Before the boot id in the name of a counter: seconds since that boot, at the last look."""
RUNNING = "running"
"""The counter that is the outbox's clock."""


def stamp_settled(db: sqlite3.Connection, now: Now) -> int:
    """Move the outbox's clock on, and stamp what was settled since. Returns what the clock says."""
    running = _move_on(db, now)
    db.execute(
        "INSERT INTO age SELECT seq, ? FROM event"
        " WHERE state <> 'waiting' AND seq NOT IN (SELECT seq FROM age)",
        (running,),
    )
    return running


def _move_on(db: sqlite3.Connection, now: Now) -> int:
    name, boot = BOOT + now.boot_id, int(now.boot)
    looked = db.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
    passed = 0 if looked is None else max(0, boot - looked[0])
    db.execute("DELETE FROM counter WHERE substr(name, 1, ?) = ?", (len(BOOT), BOOT))
    db.execute("INSERT INTO counter VALUES (?, ?)", (name, boot))
    db.execute(
        "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + ?",
        (RUNNING, passed, passed),
    )
    return int(db.execute("SELECT value FROM counter WHERE name = ?", (RUNNING,)).fetchone()[0])

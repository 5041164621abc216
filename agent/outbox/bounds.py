"""How much may wait in the outbox, and how much the log keeps, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.events.catalogue import ACTIVE
from agent.outbox.age import stamp_settled

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from agent.base.clock import Now

MAX_WAITING = 10_000
MAX_WAITING_BYTES = 10 * 1024 * 1024
MAX_SETTLED = 10_000
MAX_SETTLED_BYTES = 10 * 1024 * 1024
KEEP_SECONDS = 90 * 86400
"""By the outbox's own clock; see age.py."""


def drop_excess(db: sqlite3.Connection, now: str, clocks: Callable[[], Now]) -> None:
    """Drop what is too much to wait: the oldest heartbeats first, then the oldest other events."""
    query = "SELECT count(*), coalesce(sum(bytes), 0) FROM event WHERE state = 'waiting'"
    count, size = db.execute(query).fetchone()
    if count <= MAX_WAITING and size <= MAX_WAITING_BYTES:
        return
    oldest = db.execute(
        "SELECT seq, bytes FROM event WHERE state = 'waiting' ORDER BY name <> ?, seq",
        (ACTIVE,),
    )
    excess = []
    while count > MAX_WAITING or size > MAX_WAITING_BYTES:
        seq, weight = oldest.fetchone()
        excess.append((now, seq))
        count, size = count - 1, size - weight
    db.executemany("UPDATE event SET state = 'dropped', settled_at = ? WHERE seq = ?", excess)
    count_dropped(db, len(excess))
    trim_log(db, clocks())


def count_dropped(db: sqlite3.Connection, count: int) -> None:
    """Add to the number of events that were ever dropped."""
    sql = "INSERT INTO counter VALUES ('dropped', ?) ON CONFLICT (name) DO UPDATE SET value = value + ?"
    db.execute(sql, (count, count))


def trim_log(db: sqlite3.Connection, now: Now) -> None:
    """Delete from the log what is too old, and the oldest rows if there are too many rows or bytes."""
    oldest = stamp_settled(db, now) - KEEP_SECONDS
    db.execute("DELETE FROM event WHERE seq IN (SELECT seq FROM age WHERE running < ?)", (oldest,))
    query = "SELECT count(*), coalesce(sum(bytes), 0) FROM event WHERE state <> 'waiting'"
    count, size = db.execute(query).fetchone()
    rows = db.execute("SELECT seq, bytes FROM event JOIN age USING (seq) ORDER BY running, seq")
    excess = []
    while count > MAX_SETTLED or size > MAX_SETTLED_BYTES:
        seq, weight = rows.fetchone()
        excess.append((seq,))
        count, size = count - 1, size - weight
    db.executemany("DELETE FROM event WHERE seq = ?", excess)
    db.execute("DELETE FROM age WHERE seq NOT IN (SELECT seq FROM event)")

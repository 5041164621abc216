"""The audit log: who signed in, and who changed users, keys, tokens and releases. It holds no address.

An entry is written in the transaction of the change. It is kept for a year.
"""

from __future__ import annotations

from typing import NamedTuple

from collector.base.times import DAY_MS
from collector.store import ControlStore
from collector.store.database import Transaction

KEEP_MS = 365 * DAY_MS
# The same failure again within this time is counted in one entry, so that guesses cannot fill the disk.
FOLD_MS = 3_600_000
COMMAND_LINE = "the command line"


class Entry(NamedTuple):
    """Who did what, to what, and how often."""

    at: int
    actor: str
    action: str
    subject: str
    times: int


def record(tx: Transaction, now: int, actor: str, action: str, subject: str = "") -> None:
    """Write an entry, and delete those that are too old."""
    tx.execute("DELETE FROM audit WHERE at < ?", now - KEEP_MS)
    sql = "INSERT INTO audit (at, actor, action, subject, times) VALUES (?, ?, ?, ?, 1)"
    tx.execute(sql, now, actor, action, subject)


def record_failure(tx: Transaction, now: int, actor: str, action: str) -> None:
    """Count a failure in the entry of the last hour, or write a new one."""
    sql = "UPDATE audit SET times = times + 1 WHERE at > ? AND actor = ? AND action = ?"
    if not tx.execute(sql, now - FOLD_MS, actor, action):
        record(tx, now, actor, action)


def latest_entries(control: ControlStore, most: int) -> list[Entry]:
    """The latest entries, newest first."""
    sql = "SELECT at, actor, action, subject, times FROM audit ORDER BY id DESC LIMIT ?"
    return [Entry(*row) for row in control.all(sql, most)]

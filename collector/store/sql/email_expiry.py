"""Expiry of e-mail addresses: each goes out of its request for help, and the request stays."""

from __future__ import annotations

from collections.abc import Callable

from collector.base.events import SUPPORT
from collector.base.personal import without_address
from collector.store.database import Database, Transaction
from collector.store.sql.folding import fold_all, fold_waiting

CHANGED = 200

# Not only `@`: people type what is no address.
_WITH_ADDRESS = (
    f"SELECT time, seq, body FROM events WHERE source = ? AND name = '{SUPPORT}' AND time < ?"
    """ AND (time, seq) > (?, ?) AND received < ? AND (body LIKE '%@%' OR body LIKE '%"email":%')"""
    f" ORDER BY time, seq LIMIT {CHANGED}"
)
# A later request of the same run may have told it anew.
_RUNS = (
    "UPDATE runs SET email = NULL WHERE source = ? AND asked < ? AND email IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM events e WHERE e.source = runs.source AND e.run = runs.id"
    f" AND e.name = '{SUPPORT}' AND e.received >= ?)"
)


def expire_emails(database: Database, before: int, go_on: Callable[[], None]) -> int:
    """Delete addresses in requests that were received before a time; returns how many requests had one."""
    count = 0
    fold_waiting(database)
    # Not only those with runs: other clients send requests that are of no run.
    for (source,) in database.all("SELECT DISTINCT source FROM daily"):
        with database.transaction() as tx:
            fold_all(tx)
            tx.execute(_RUNS, source, before, before)
        last: tuple[int, ...] = (-1, 0)
        while rows := database.all(_WITH_ADDRESS, source, before, *last, before):
            last = rows[-1][:2]
            with database.transaction() as tx:
                count += sum(_change(tx, number, body) for _, number, body in rows)
            go_on()
    return count


def _change(tx: Transaction, number: int, body: str) -> int:
    changed = without_address(body)
    return 0 if changed == body else tx.execute("UPDATE events SET body = ? WHERE seq = ?", changed, number)

"""Up to when something was done."""

from __future__ import annotations

from collector.store.database import Transaction

EXPIRED = "expired"
# Old events up to this number may be stored anew (`narrowing.py`).
WIDE = "wide"


def note_expiry(tx: Transaction, before: int) -> None:
    """Remember that events received before a time are deleted."""
    sql = (
        "INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
        " SET value = excluded.value WHERE excluded.value > marks.value"
    )
    tx.execute(sql, EXPIRED, before)

"""The product's version at the last heartbeat, remembered so that a change of it can be told.

It is in the outbox's database, and not in a file of its own, so that it changes together with the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3


def replace_version(db: sqlite3.Connection, version: str) -> str | None:
    """Remember this version. Returns the one that was remembered; None if none was."""
    row = db.execute("SELECT version FROM product").fetchone()
    before = None if row is None else str(row[0])
    if before != version:
        forget_version(db)
        db.execute("INSERT INTO product VALUES (?)", (version,))
    return before


def forget_version(db: sqlite3.Connection) -> None:
    """Remember no version."""
    db.execute("DELETE FROM product")

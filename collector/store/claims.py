"""Old events are deleted by one of several collectors at a time, which claims that in the control store.

The claim of a collector that was killed ends by itself after some hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

from collector.store.control import ControlStore
from collector.store.errors import StoreUnavailable

# Its name in the table of claims.
WORK = "expiry"
LONGEST_MS = 2 * 3_600_000


class AlreadyClaimed(StoreUnavailable):
    """Another collector deletes old events now."""


@contextmanager
def claimed_expiry(control: ControlStore, now: int) -> Iterator[None]:
    """Delete what is old alone. AlreadyClaimed if another collector has begun to."""
    holder = token_hex(8)
    with control.transaction() as tx:
        until = now + LONGEST_MS
        taken = tx.execute(
            "UPDATE claims SET holder = ?, until = ? WHERE name = ? AND until <= ?", holder, until, WORK, now
        ) or tx.execute(
            "INSERT INTO claims (name, holder, until) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
            *(WORK, holder, until),
        )
    if not taken:
        raise AlreadyClaimed(
            "another collector is deleting old events; try again when it is done,"
            f" or in {LONGEST_MS // 3_600_000} hours if it was killed"
        )
    try:
        yield
    finally:
        with control.transaction() as tx:
            tx.execute("DELETE FROM claims WHERE name = ? AND holder = ?", WORK, holder)

"""Work that only one of several collectors may do at a time: it is claimed in the control store.

The claim of a collector that was killed ends by itself after some hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

from collector.store.control import ControlStore
from collector.store.errors import StoreUnavailable

LONGEST_MS = 2 * 3_600_000


class AlreadyClaimed(StoreUnavailable):
    """Another collector does it now."""


@contextmanager
def claimed(control: ControlStore, name: str, now: int) -> Iterator[None]:
    """Do some work alone. AlreadyClaimed if another collector has begun it."""
    holder = token_hex(8)
    with control.transaction() as tx:
        until = now + LONGEST_MS
        taken = tx.execute(
            "UPDATE claims SET holder = ?, until = ? WHERE name = ? AND until <= ?", holder, until, name, now
        ) or tx.execute(
            "INSERT INTO claims (name, holder, until) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
            *(name, holder, until),
        )
    if not taken:
        raise AlreadyClaimed("another collector deletes what is old now")
    try:
        yield
    finally:
        with control.transaction() as tx:
            tx.execute("DELETE FROM claims WHERE name = ? AND holder = ?", name, holder)

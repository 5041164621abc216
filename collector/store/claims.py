"""Old events are deleted by one of several collectors at a time, which claims that in the control store.

The claim of a collector that was killed ends by itself after some hours. One that works for longer renews it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex

from collector.base.background import BackgroundJob
from collector.store.control import ControlStore
from collector.store.errors import StoreError, StoreUnavailable

# Its name in the table of claims.
WORK = "expiry"
LONGEST_MS = 2 * 3_600_000
RENEWED_SECONDS, STOP_SECONDS = 600.0, 2.0


class AlreadyClaimed(StoreUnavailable):
    """Another collector deletes old events now."""


class _Renewal(BackgroundJob):
    """Renews a claim now and then, while the work goes on."""

    def __init__(self, control: ControlStore, holder: str, now: int) -> None:
        super().__init__("claim", RENEWED_SECONDS)
        self._control, self._holder = control, holder
        self._end = now + LONGEST_MS - int(time.monotonic() * 1000)

    def step(self) -> float:
        until = self._end + int(time.monotonic() * 1000)
        with suppress(StoreError), self._control.transaction() as tx:
            sql = "UPDATE claims SET until = ? WHERE name = ? AND holder = ?"
            tx.execute(sql, until, WORK, self._holder)
        return RENEWED_SECONDS


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
    renewal = _Renewal(control, holder, now)
    renewal.start()
    try:
        yield
    finally:
        renewal.stop(STOP_SECONDS)
        with control.transaction() as tx:
            tx.execute("DELETE FROM claims WHERE name = ? AND holder = ?", WORK, holder)

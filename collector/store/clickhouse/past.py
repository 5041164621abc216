"""What has expired, as every question must know it: it counts as one batch at a time, all or nothing.

A batch first writes what it sums up; nobody reads that yet. The row in `expiries` makes it count, and hides
the events that it sums up. Then they are deleted. If the batch has rows of instances or runs, a further one
gets a copy of all that count, and the earlier ones are dropped. So no id of what is gone stays.
"""

from __future__ import annotations

from typing import NamedTuple

from collector.base.events import BEAT
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.text import literal

# A question may use what it knew of the past so long ago. Nothing is deleted before that time is over.
KNOWN_SECONDS = 0.2


class Past(NamedTuple):
    """The batch that counts now."""

    batch: int = 0
    kept_from: int = 0  # the first batch whose rows are needed
    beats_before: int = 0
    events_before: int = 0
    until: int = 0
    done: int = 1

    @property
    def expired(self) -> str:
        """The condition that an event is in this batch: received before a time, and here when it began."""
        beats = f"name = {literal(BEAT)} AND received < {self.beats_before}"
        others = f"name <> {literal(BEAT)} AND received < {self.events_before}"
        return f"(seq < {self.until} AND (({beats}) OR ({others})))"

    @property
    def there(self) -> str:
        """The condition that an event has not expired."""
        return "1 = 1" if self.done else f"NOT {self.expired}"


def read_past(client: Client) -> Past:
    """The batch that counts now."""
    rows = client.rows(
        "SELECT batch, kept_from, beats_before, events_before, until, done FROM expiries FINAL"
        " ORDER BY batch DESC LIMIT 1"
    )
    return Past(*rows[0]) if rows else Past()


def latest(table: str, past: Past, where: str = "1 = 1") -> str:
    """The rows of `past_instances` or `past_runs` that count with a batch: the latest of each id."""
    return (
        f"(SELECT * FROM (SELECT * FROM {table} FINAL"
        f" WHERE batch >= {past.kept_from} AND batch <= {past.batch} AND {where}"
        f" ORDER BY batch DESC LIMIT 1 BY source, id) WHERE ver < {GONE})"
    )


def gone_with(past: Past) -> str:
    """The instances that went with a batch."""
    return f"SELECT source, id FROM past_instances WHERE batch = {past.batch} AND ver = {GONE}"


# Versions of a row within a batch.
BASE, WITHOUT_EMAIL, GONE = range(3)

"""The heartbeats of one instance, found by the slots that its row has: no index over heartbeats is needed.

Each slot with a heartbeat is a window of time, in which the heartbeats of all instances are read. A window is
an hour wider than its slot on both sides, for the clock in an id may be wrong by that much.
"""

from __future__ import annotations

from collections.abc import Iterator

from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store.beats import CLOCK_MS
from collector.store.database import Database, Row
from collector.store.packed_slots import unpack_slots
from collector.store.spans import SLOT_MS, SLOTS_A_DAY, bits_of
from collector.store.sql.beats import id_at, read_day
from collector.store.sql.days import COLUMNS, days_of
from collector.store.values import PageEnd

# A list ends early, and goes on with the next page, once so many heartbeats were read and one was found.
BEATS_READ = 100_000

Window = tuple[int, int]
# Greater than any number of an event, and any time.
LAST = 2**62

_INSTANCE = "SELECT first_day, packed_slots FROM instances WHERE source = ? AND id = ?"
_NARROW = (
    f"WITH here AS (SELECT {COLUMNS} FROM {{}} WHERE source = ? AND id >= ? AND id < ?)"
    f" SELECT n, {COLUMNS} FROM (SELECT COUNT(*) AS n FROM here) AS counted LEFT JOIN here ON who = ?"
    " ORDER BY id DESC"
)
_WIDE = (
    f"SELECT seq FROM events WHERE source = ? AND name = '{BEAT}' AND time >= ? AND time < ?"
    " AND (time, seq) {} (?, ?) AND who = ? ORDER BY time {}, seq {} LIMIT ?"
)
_LATEST, _OLDEST = _WIDE.format("<", "DESC", "DESC"), _WIDE.format(">", "ASC", "ASC")


class InstanceBeats:
    """A search for the heartbeats of an instance before a place, the latest first; or after it."""

    def __init__(
        self, database: Database, source: int, who: bytes, end: PageEnd, *, oldest_first: bool
    ) -> None:
        self._database, self._source, self._who = database, source, who
        self._end, self._oldest_first = (min(end[0], LAST), min(end[1], LAST)), oldest_first
        self._id = id_at(end)
        self.narrow: list[tuple[int, Row]] = []  # each with its day
        self.wide: list[int] = []  # their numbers
        self.searched: Window = (0, LAST)  # none was looked for before and after these times

    def find(self, most: int) -> None:
        """Find so many, or fewer if many are read; but never none if there is one."""
        days = set(days_of(self._database, self._source))
        read = 0
        for since, until in self._windows():
            for day in range((until - 1) // DAY_MS, since // DAY_MS - 1, -1):
                if day in days:
                    read += self._read_narrow(day, since, until)
            values = (self._source, since, until, *self._end, self._who, most)
            sql = _OLDEST if self._oldest_first else _LATEST
            self.wide += [seq for (seq,) in self._database.all(sql, *values)]
            found = len(self.narrow) + len(self.wide)
            if found >= most or (found and read >= BEATS_READ):
                self.searched = (0, until) if self._oldest_first else (since, LAST)
                return

    def _read_narrow(self, day: int, since: int, until: int) -> int:
        """How many heartbeats were read."""
        first, end = max(since, day * DAY_MS), min(until, (day + 1) * DAY_MS)
        keys = first.to_bytes(6, "big"), end.to_bytes(6, "big")
        if self._oldest_first:
            keys = max(keys[0], self._id + b"\0"), keys[1]  # from the next id on
        else:
            keys = keys[0], min(keys[1], self._id)
        rows = read_day(self._database, day, _NARROW, self._source, *keys, self._who)
        self.narrow += [(day, row[1:]) for row in rows if row[1] is not None]
        return int(rows[0][0]) if rows else 0

    def _windows(self) -> Iterator[Window]:
        """Windows that do not overlap and may have a heartbeat that is wanted, in the order of the list."""
        rows = self._database.all(_INSTANCE, self._source, self._who)
        if not rows:
            return
        first, slots = rows[0][0] * SLOTS_A_DAY, unpack_slots(rows[0][1])
        lower, upper = (self._end[0], LAST) if self._oldest_first else (0, self._end[0] + 1)
        numbers = [first + bit for bit in bits_of(slots, 1)]
        for slot in numbers if self._oldest_first else reversed(numbers):
            since = max(lower, slot * SLOT_MS - CLOCK_MS)
            until = min(upper, (slot + 1) * SLOT_MS + CLOCK_MS)
            if since < until:
                yield since, until
                lower, upper = (until, upper) if self._oldest_first else (lower, since)

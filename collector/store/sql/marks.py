"""What has expired: up to when, for each source, and when that was done last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from collector.base.events import BEAT
from collector.base.times import DAY_MS
from collector.store.database import Database, Row, Transaction
from collector.store.values import Cutoffs, Expired, Expiry

BEATS, EVENTS = "beats", "events"

_NOTE = (
    "INSERT INTO expired (source, kind, cutoff) VALUES (?, ?, ?) ON CONFLICT (source, kind) DO UPDATE"
    " SET cutoff = excluded.cutoff WHERE excluded.cutoff > expired.cutoff"
)
ALL_MARKS = "SELECT source, kind, cutoff FROM expired"
_MARK = (
    "INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
# Old events up to this number may be stored anew (`narrowing.py`).
WIDE = "wide"
_RAN, _FOUND = "expiry", ("expiry_found", "expiry_beats", "expiry_events", "expiry_emails")


class Marks(NamedTuple):
    """Before these times, what came from a source may be deleted; 0 if nothing is."""

    beats: int = 0
    events: int = 0

    @property
    def instances(self) -> int:
        """The same of instances, with the slots of their heartbeats."""
        return min(self)

    def of(self, name: str) -> int:
        """The one of events with a name."""
        return self.beats if name == BEAT else self.events


NOTHING_EXPIRED = Marks()


def note_cutoffs(tx: Transaction, before: Cutoffs) -> None:
    """Remember what expires now, of each source that has counted anything so old."""
    for kind, cutoff in ((BEATS, before.beats), (EVENTS, before.events)):
        sources = tx.all("SELECT DISTINCT source FROM daily WHERE day <= ?", cutoff // DAY_MS)
        for (source,) in sources:
            tx.execute(_NOTE, source, kind, cutoff)


def marks_of(database: Database | Transaction) -> dict[int, Marks]:
    """The marks by source."""
    return read_marks(database.all(ALL_MARKS))


def read_marks(rows: Iterable[Row]) -> dict[int, Marks]:
    """The rows of ALL_MARKS as marks by source."""
    found: dict[int, Marks] = {}
    for source, kind, cutoff in rows:
        marks = found.get(source, NOTHING_EXPIRED)
        found[source] = marks._replace(**{kind: cutoff})
    return found


def note_run(tx: Transaction, now: int, found: Expired) -> None:
    """Remember that everything old is deleted now, and how much that was."""
    tx.execute(_MARK, _RAN, now)
    if found != Expired():
        for name, value in zip(_FOUND, (now, found.beats, found.events, found.emails), strict=True):
            tx.execute(_MARK, name, value)


def last_run(database: Database) -> Expiry:
    """When that was last."""
    marks: dict[str, int] = dict(database.all("SELECT name, value FROM marks"))
    at, *counts = (marks.get(name) for name in _FOUND)
    return Expiry(marks.get(_RAN), at, Expired(*(count or 0 for count in counts)))

"""The outbox: the events that wait to be sent, and for 90 days the log of all that were recorded.

Several processes may use it at once. Every change is one short transaction.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.base.clock import read_kernels_clocks
from agent.events.catalogue import ACTIVE, BUNDLE, NOT_USAGE, dumps, iso
from agent.outbox.bounds import count_dropped, drop_excess, trim_log
from agent.outbox.database import Database
from agent.outbox.opening import all_rows, read_only
from agent.outbox.version import forget_version, replace_version

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from agent.base.clock import Now
    from agent.base.statedir import StateDir

WAITING, SENT, REJECTED = "waiting", "sent", "rejected"
DROPPED, EXPORTED, DELETED = "dropped", "exported", "deleted"


@dataclass(frozen=True)
class LogEntry:
    """One row of the audit log."""

    state: str
    recorded_at: str
    settled_at: str | None
    endpoint: str | None
    message_id: str
    name: str
    payload: str | None

    @property
    def told(self) -> dict[str, Any] | None:
        """The event as sent; None of a deleted one, and of one that the disk tore."""
        try:
            found = json.loads(self.payload or "")
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    @property
    def event(self) -> dict[str, Any]:
        """The same; where there is none, only messageId and name."""
        return self.told or {"messageId": self.message_id, "event": self.name}


@dataclass(frozen=True)
class Trouble:
    """Failures in a row at one endpoint, and when it may be tried again (seconds since 1970).

    `failures` counts those that made the next wait longer.
    """

    failures: int
    next_try: float
    error: str
    since: str


class OutboxReader:
    """Answers questions about the outbox. `read_outbox` opens one; an Outbox is one too."""

    def __init__(self, rows: Callable[[str, Sequence[object]], list[Any]]) -> None:
        self._rows = rows

    def count(self, state: str) -> int:
        return self._number("SELECT count(*) FROM event WHERE state = ?", state)

    def count_for(self, endpoint: str) -> int:
        """How many events wait for this endpoint, or for any: they were recorded while none was set."""
        query = (
            "SELECT count(*) FROM event"
            " WHERE state = 'waiting' AND name <> ? AND (endpoint IS NULL OR endpoint = ?)"
        )
        return self._number(query, BUNDLE, endpoint)

    def waiting_elsewhere(self, endpoint: str) -> int:
        """How many wait for an endpoint other than this one."""
        query = "SELECT count(*) FROM event WHERE state = 'waiting' AND endpoint <> ?"
        return self._number(query, endpoint)

    def waiting_since(self) -> str | None:
        """When the oldest event that waits was recorded."""
        (row,) = self.query("SELECT min(recorded_at) FROM event WHERE state = 'waiting'")
        return None if row[0] is None else str(row[0])

    def endpoints_sent_to(self) -> list[str]:
        """Every endpoint that took an event which is still in the log."""
        rows = self.query("SELECT DISTINCT endpoint FROM event WHERE state = 'sent' AND endpoint IS NOT NULL")
        return [str(row[0]) for row in rows]

    def dropped(self) -> int:
        """How many events were ever dropped."""
        return self._number("SELECT coalesce(sum(value), 0) FROM counter WHERE name = 'dropped'")

    def last_beat(self) -> str | None:
        """When the last Instance Active was recorded."""
        query = "SELECT recorded_at FROM event WHERE name = ? ORDER BY seq DESC LIMIT 1"
        rows = self.query(query, ACTIVE)
        return str(rows[0][0]) if rows else None

    def trouble(self, endpoint: str) -> Trouble | None:
        """The failures at an endpoint since it last answered, if any."""
        query = "SELECT failures, next_try, error, since FROM delivery WHERE endpoint = ?"
        rows = self.query(query, endpoint)
        return Trouble(*rows[0]) if rows else None

    def entries(self, last: int | None = None) -> list[LogEntry]:
        """The newest `last` rows of the audit log, or all; newest last."""
        query = (
            "SELECT state, recorded_at, settled_at, endpoint, message_id, name, payload"
            " FROM (SELECT * FROM event ORDER BY seq DESC LIMIT ?) ORDER BY seq"
        )
        rows = self.query(query, -1 if last is None else last)
        return [LogEntry(*row) for row in rows]

    def find(self, message_id: str) -> LogEntry | None:
        """The row of one event."""
        query = (
            "SELECT state, recorded_at, settled_at, endpoint, message_id, name, payload"
            " FROM event WHERE message_id = ?"
        )
        rows = self.query(query, message_id)
        return LogEntry(*rows[0]) if rows else None

    def waiting(self, endpoint: str, *, limit: int, after: int = 0) -> list[tuple[int, str]]:
        """The oldest events that wait for an endpoint, as (seq, text), beyond `after`."""
        query = (
            "SELECT seq, payload FROM event"
            " WHERE state = 'waiting' AND endpoint = ? AND seq > ? AND name <> ? ORDER BY seq LIMIT ?"
        )
        return self.query(query, endpoint, after, BUNDLE, limit)

    def waiting_anywhere(self, *, after: int, limit: int) -> list[tuple[int, str]]:
        """The oldest events that wait, for whichever endpoint, as (seq, text)."""
        query = (
            "SELECT seq, payload FROM event"
            " WHERE state = 'waiting' AND seq > ? AND name <> ? ORDER BY seq LIMIT ?"
        )
        return self.query(query, after, BUNDLE, limit)

    def _number(self, query: str, *values: object) -> int:
        return int(self.query(query, *values)[0][0])

    def query(self, query: str, *values: object) -> list[Any]:
        """The answer to a question of another module of this room."""
        return self._rows(query, values)


class Outbox(OutboxReader):
    """The outbox, open for writing. Every method is one transaction, or OutboxError."""

    def __init__(
        self,
        state: StateDir,
        *,
        now: Callable[[], float] = time.time,
        clocks: Callable[[], Now] = read_kernels_clocks,
    ) -> None:
        self._now = now
        self._clocks = clocks
        self._database = Database(state)
        super().__init__(self._database.query)

    def close(self) -> None:
        self._database.close()

    def record(
        self,
        event: Mapping[str, object],
        endpoint: str,
        *,
        slot: int | None = None,
        at: float | None = None,
    ) -> bool:
        """Store an event; on return it is on disk. False if its messageId or its slot was stored before."""
        return self._database.change(lambda db: self._add(db, event, endpoint, slot, at))

    def follow_version(
        self, version: str, upgrade_from: Callable[[str], Mapping[str, object]], endpoint: str
    ) -> None:
        """Remember the product's version. If another was remembered, store the event of that upgrade.

        Both are one transaction, so an upgrade is stored once: whatever is killed, and whoever else notices.
        """

        def work(db: sqlite3.Connection) -> None:
            before = replace_version(db, version)
            if before not in (None, version):
                self._add(db, upgrade_from(before), endpoint)

        self._database.change(work)

    def forget_version(self) -> None:
        """Remember no version: a change from it is never told."""
        if self._number("SELECT count(*) FROM product"):
            self._database.change(forget_version)

    def _add(
        self,
        db: sqlite3.Connection,
        event: Mapping[str, object],
        endpoint: str,
        slot: int | None = None,
        at: float | None = None,
    ) -> bool:
        text, now = dumps(event), iso(self._now())
        recorded = now if at is None else iso(at)
        added = db.execute(
            "INSERT INTO event (message_id, name, endpoint, slot, payload, bytes, recorded_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (event["messageId"], event["event"], endpoint or None, slot, text, len(text.encode()), recorded),
        ).rowcount
        drop_excess(db, now, self._clocks)
        return added > 0

    def settle(self, seqs: Iterable[int], state: str) -> None:
        """Note that these were sent, rejected, exported or dropped.

        Nothing is noted in a new database: its rows of the same numbers are other events.
        """
        now = iso(self._now())

        def work(db: sqlite3.Connection) -> None:
            if self._database.was_replaced:
                return
            sql = "UPDATE event SET state = ?, settled_at = ? WHERE seq = ? AND state = 'waiting'"
            settled = db.executemany(sql, [(state, now, seq) for seq in seqs])
            if state == DROPPED:
                count_dropped(db, settled.rowcount)
            trim_log(db, self._clocks())

        self._database.change(work)

    def erase(self, *, usage: bool = False) -> int:
        """Delete the payload of all that waits, and keep the rows. Returns how many there were.

        With `usage` only that of usage events. The version is forgotten too, for theirs is its only use.
        """
        now = iso(self._now())

        def work(db: sqlite3.Connection) -> int:
            erased = db.execute(
                "UPDATE event SET state = 'deleted', payload = NULL, bytes = 0, settled_at = ?"
                " WHERE state = 'waiting' AND (? OR name NOT IN (?, ?, ?, ?, ?, ?))",
                (now, not usage, *NOT_USAGE, BUNDLE),
            ).rowcount
            forget_version(db)
            trim_log(db, self._clocks())
            return erased

        return self._database.change(work)

    def purge(self) -> None:
        """Delete rows of the log that are too old or too many."""
        self._database.change(lambda db: trim_log(db, self._clocks()))

    def adopt(self, endpoint: str) -> None:
        """Assign to this endpoint what was recorded while none was set."""
        self._change("UPDATE event SET endpoint = ? WHERE state = 'waiting' AND endpoint IS NULL", endpoint)

    def note_failure(self, endpoint: str, error: str, next_try: float, *, counts: bool = True) -> None:
        """Note one more failure in a row at an endpoint; the first always counts."""
        self._change(
            "INSERT INTO delivery (endpoint, failures, next_try, error, since) VALUES (?, 1, ?, ?, ?)"
            " ON CONFLICT (endpoint) DO UPDATE SET failures = failures + ?,"
            " next_try = excluded.next_try, error = excluded.error",
            endpoint,
            next_try,
            error,
            iso(self._now()),
            int(counts),
        )

    def note_success(self, endpoint: str) -> None:
        """The endpoint took a batch: forget its failures."""
        self._change("DELETE FROM delivery WHERE endpoint = ?", endpoint)

    def _change(self, query: str, *values: object) -> int:
        return self._database.change(lambda db: db.execute(query, values).rowcount)


@contextmanager
def read_outbox(state: StateDir, *, at_once: bool = False) -> Iterator[OutboxReader | None]:
    """The outbox, only to read; None if there is none yet. OutboxError if it cannot be read.

    `at_once`: all answers are of one moment. Nobody can change it from the first answer to the end.
    """
    with read_only(state) as db:
        if db is not None and at_once:
            db.execute("BEGIN")
        yield None if db is None else OutboxReader(partial(all_rows, db))

"""The outbox: what waits to be sent and, for 90 days, what became of all that was ever recorded.

One SQLite database in its default journal, so that a reader never writes; several processes at
once; one short transaction a change. A database that is not sound is set aside, never repaired.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from agent.events import ACTIVE, dumps, iso
from agent.locks import held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from agent.state import StateDir

MAX_WAITING = 10_000
MAX_WAITING_BYTES = 10 * 1024 * 1024
MAX_SETTLED = 10_000
MAX_SETTLED_BYTES = 10 * 1024 * 1024
KEEP_SECONDS = 90 * 86400
LOCK_WAIT = 10.0
READ_WAIT = 2.0
VERSION = 1
APPLICATION_ID = 0x526F6C6C
"""Written into the database's head, so that somebody else's is never taken for ours."""

T = TypeVar("T")

WAITING, SENT, REJECTED, DROPPED, EXPORTED, DELETED = (
    "waiting",
    "sent",
    "rejected",
    "dropped",
    "exported",
    "deleted",
)

SCHEMA = (
    """
    CREATE TABLE event (
        seq         INTEGER PRIMARY KEY,
        message_id  TEXT NOT NULL UNIQUE,
        name        TEXT NOT NULL,
        endpoint    TEXT,             -- where it may go; NULL: none was set when it was recorded
        slot        INTEGER,          -- the due time of a heartbeat: one a slot
        state       TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN
                    ('waiting', 'sent', 'rejected', 'dropped', 'exported', 'deleted')),
        payload     TEXT,             -- the event to the letter as it is sent
        bytes       INTEGER NOT NULL,
        recorded_at TEXT NOT NULL,
        settled_at  TEXT,
        CHECK ((payload IS NULL) = (state = 'deleted')),
        CHECK ((settled_at IS NULL) = (state = 'waiting'))
    )""",
    "CREATE INDEX event_waiting ON event (seq, bytes) WHERE state = 'waiting'",
    "CREATE INDEX event_settled ON event (settled_at, bytes) WHERE state <> 'waiting'",
    "CREATE UNIQUE INDEX event_slot ON event (slot) WHERE slot IS NOT NULL",
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    """
    CREATE TABLE delivery (           -- how an endpoint has answered of late
        endpoint TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        next_try REAL NOT NULL,
        error    TEXT NOT NULL,
        since    TEXT NOT NULL
    )""",
)


class OutboxError(Exception):
    """Nothing could be read or written; the text says why and what to do."""


@dataclass(frozen=True)
class Entry:
    """One row of the audit log."""

    state: str
    recorded_at: str
    settled_at: str | None
    endpoint: str | None
    message_id: str
    name: str
    payload: str | None

    @property
    def event(self) -> object:
        """The event as sent; of a deleted one, messageId and name alone."""
        if self.payload is None:
            return {"messageId": self.message_id, "event": self.name}
        return json.loads(self.payload)


@dataclass(frozen=True)
class Trouble:
    """A streak of failures at one endpoint, and when it may be tried again (seconds since 1970)."""

    failures: int
    next_try: float
    error: str
    since: str


class Reader:
    """Answers questions about the outbox; opened by `reading`, or as part of an Outbox."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def count(self, state: str) -> int:
        return self._number("SELECT count(*) FROM event WHERE state = ?", state)

    def waiting_elsewhere(self, endpoint: str) -> int:
        """How many wait for an endpoint other than this one."""
        query = "SELECT count(*) FROM event WHERE state = 'waiting' AND endpoint <> ?"
        return self._number(query, endpoint)

    def dropped(self) -> int:
        """How many had to be dropped, ever."""
        return self._number("SELECT coalesce(sum(value), 0) FROM counter WHERE name = 'dropped'")

    def last_beat(self) -> str | None:
        """When the last Instance Active was recorded."""
        query = "SELECT recorded_at FROM event WHERE name = ? ORDER BY seq DESC LIMIT 1"
        row = self._db.execute(query, (ACTIVE,)).fetchone()
        return None if row is None else str(row[0])

    def trouble(self, endpoint: str) -> Trouble | None:
        """The streak of failures at an endpoint, if one is on."""
        query = "SELECT failures, next_try, error, since FROM delivery WHERE endpoint = ?"
        row = self._db.execute(query, (endpoint,)).fetchone()
        return None if row is None else Trouble(*row)

    def entries(self, last: int | None = None) -> list[Entry]:
        """The newest `last` rows of the audit log, or all; newest last."""
        columns = "state, recorded_at, settled_at, endpoint, message_id, name, payload"
        newest = f"SELECT seq, {columns} FROM event ORDER BY seq DESC LIMIT ?"  # noqa: S608 - constants
        rows = self._db.execute(
            f"SELECT {columns} FROM ({newest}) ORDER BY seq", (-1 if last is None else last,)
        )  # noqa: S608
        return [Entry(*row) for row in rows]

    def waiting(self, endpoint: str, *, after: int = 0, limit: int) -> list[tuple[int, str]]:
        """The oldest events that wait for an endpoint, as (seq, text)."""
        query = (
            "SELECT seq, payload FROM event WHERE state = 'waiting' AND endpoint = ? AND seq > ?"
            " ORDER BY seq LIMIT ?"
        )
        return self._db.execute(query, (endpoint, after, limit)).fetchall()

    def _number(self, query: str, *values: object) -> int:
        return int(self._db.execute(query, values).fetchone()[0])


class Outbox(Reader):
    """The one writer's hand on the database. Every method is one transaction, or OutboxError."""

    def __init__(self, state: StateDir, *, now: Callable[[], float] = time.time) -> None:
        self._state = state
        self._now = now
        super().__init__(self._connect())

    def close(self) -> None:
        self._db.close()

    def record(
        self, event: Mapping[str, object], endpoint: str, *, slot: int | None = None, at: float | None = None
    ) -> bool:
        """Keep an event; on return it is on disk. False: its messageId or its slot was there already."""
        text = dumps(event)
        recorded = iso(self._now() if at is None else at)
        row = (event["messageId"], event["event"], endpoint or None, slot, text, len(text.encode()), recorded)

        def work(db: sqlite3.Connection) -> bool:
            added = db.execute(
                "INSERT INTO event (message_id, name, endpoint, slot, payload, bytes, recorded_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                row,
            ).rowcount
            self._drop_the_excess(db)
            return added > 0

        return self._write(work)

    def settle(self, seqs: Iterable[int], state: str) -> None:
        """These were sent, rejected or exported."""
        now = iso(self._now())

        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                "UPDATE event SET state = ?, settled_at = ? WHERE seq = ? AND state = 'waiting'",
                [(state, now, seq) for seq in seqs],
            )
            self._forget_the_old(db)

        self._write(work)

    def erase(self) -> int:
        """Silence: the payload of all that waits goes, its row stays. How many there were."""
        return self._change(
            "UPDATE event SET state = 'deleted', payload = NULL, bytes = 0, settled_at = ?"
            " WHERE state = 'waiting'",
            iso(self._now()),
        )

    def purge(self) -> None:
        """Let go of settled rows that are older, or more, than the audit log keeps."""
        self._write(self._forget_the_old)

    def adopt(self, endpoint: str) -> None:
        """What was recorded while no endpoint was set is for the first that is."""
        self._change("UPDATE event SET endpoint = ? WHERE state = 'waiting' AND endpoint IS NULL", endpoint)

    def failed(self, endpoint: str, error: str, next_try: float) -> None:
        """Note one more failure at an endpoint."""
        self._change(
            "INSERT INTO delivery (endpoint, failures, next_try, error, since) VALUES (?, 1, ?, ?, ?)"
            " ON CONFLICT (endpoint) DO UPDATE SET failures = failures + 1,"
            " next_try = excluded.next_try, error = excluded.error",
            endpoint,
            next_try,
            error,
            iso(self._now()),
        )

    def answered(self, endpoint: str) -> None:
        """The endpoint took a batch: a streak of failures, if one was on, is over."""
        self._change("DELETE FROM delivery WHERE endpoint = ?", endpoint)

    def _drop_the_excess(self, db: sqlite3.Connection) -> None:
        """Keep what waits within its bounds: the oldest heartbeats go first, then the oldest others."""
        query = "SELECT count(*), coalesce(sum(bytes), 0) FROM event WHERE state = 'waiting'"
        count, size = db.execute(query).fetchone()
        if count <= MAX_WAITING and size <= MAX_WAITING_BYTES:
            return
        oldest = db.execute(
            "SELECT seq, bytes FROM event WHERE state = 'waiting' ORDER BY name <> ?, seq", (ACTIVE,)
        )
        excess = []
        while count > MAX_WAITING or size > MAX_WAITING_BYTES:
            seq, weight = oldest.fetchone()
            excess.append((iso(self._now()), seq))
            count, size = count - 1, size - weight
        db.executemany("UPDATE event SET state = 'dropped', settled_at = ? WHERE seq = ?", excess)
        db.execute(
            "INSERT INTO counter VALUES ('dropped', ?) ON CONFLICT (name) DO UPDATE SET value = value + ?",
            (len(excess), len(excess)),
        )
        self._forget_the_old(db)

    def _forget_the_old(self, db: sqlite3.Connection) -> None:
        """Keep the audit log within its bounds, in age, rows and bytes."""
        oldest = iso(self._now() - KEEP_SECONDS)
        db.execute("DELETE FROM event WHERE state <> 'waiting' AND settled_at < ?", (oldest,))
        query = "SELECT count(*), coalesce(sum(bytes), 0) FROM event WHERE state <> 'waiting'"
        count, size = db.execute(query).fetchone()
        rows = db.execute("SELECT seq, bytes FROM event WHERE state <> 'waiting' ORDER BY settled_at, seq")
        excess = []
        while count > MAX_SETTLED or size > MAX_SETTLED_BYTES:
            seq, weight = rows.fetchone()
            excess.append((seq,))
            count, size = count - 1, size - weight
        db.executemany("DELETE FROM event WHERE seq = ?", excess)

    def _change(self, query: str, *values: object) -> int:
        return self._write(lambda db: db.execute(query, values).rowcount)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """One transaction; in a database that turns out torn, the same again in a new one."""
        with _plainly():
            try:
                return self._attempt(work)
            except _Unsound as why:
                self._db.close()
                self._db = self._begin_anew(str(why))
                return self._attempt(work)

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _unsoundness():
            patiently(self._db, "BEGIN IMMEDIATE")
            try:
                result = work(self._db)
                patiently(self._db, "COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            return result

    def _connect(self) -> sqlite3.Connection:
        with _plainly():
            self._state.make()
            try:
                return _sound(self._state.outbox)
            except _Unsound as why:
                return self._begin_anew(str(why))

    def _begin_anew(self, why: str) -> sqlite3.Connection:
        """Set an unsound database aside, unless another process has done so meanwhile."""
        path = self._state.outbox
        with held(self._state.lock, LOCK_WAIT):
            try:
                return _sound(path, thoroughly=True)
            except _Unsound:
                for suffix in ("-journal", ""):
                    if os.path.lexists(path + suffix):
                        os.replace(path + suffix, f"{path}.{why}{suffix}")
                warn(f"{path} is {why}: it was set aside as {path}.{why} and a new one begun")
                return _sound(path)


@contextmanager
def reading(state: StateDir) -> Iterator[Reader | None]:
    """Look without writing; None where there is no outbox yet. OutboxError if it cannot be read."""
    with _plainly():
        db = _snapshot(state.outbox) if _there(state.outbox) else None
        try:
            yield None if db is None else Reader(db)
        finally:
            if db is not None:
                db.close()


class _Unsound(Exception):  # noqa: N818 - never leaves this module
    """The database cannot be used; the text is the word that it is set aside under."""


def warn(text: str) -> None:
    """One line for a person."""
    print(f"rollcall: {text}", file=sys.stderr)


def patiently(db: sqlite3.Connection, statement: str, wait: float = LOCK_WAIT) -> None:
    """Run BEGIN or COMMIT, waiting for other processes in small uneven steps so that none starves."""
    until = time.monotonic() + wait
    while True:
        try:
            db.execute(statement)
        except sqlite3.OperationalError as why:
            if "locked" not in str(why) or time.monotonic() > until:
                raise
            time.sleep((1 + os.urandom(1)[0]) / 100_000)
        else:
            return


def _there(path: str) -> bool:
    """Whether the file exists; an error if that cannot be told."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _open(path: str, mode: str, timeout: float = 0) -> sqlite3.Connection:
    uri = f"file:{quote(path)}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=timeout)


def _sound(path: str, *, thoroughly: bool = False) -> sqlite3.Connection:
    """A connection to a database that is ours, of our version and not torn; else _Unsound."""
    if not os.path.lexists(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    db = _open(path, "rw")
    try:
        with _unsoundness():
            db.execute("PRAGMA secure_delete = ON")
            if _version(path, db) < VERSION:
                _create(db)
            if thoroughly and db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise _Unsound("damaged")
    except BaseException:
        db.close()
        raise
    return db


def _version(path: str, db: sqlite3.Connection) -> int:
    """The schema's version, 0 for an empty database; a stranger's is an error, a newer one unsound."""
    patiently(db, "BEGIN")
    try:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    finally:
        db.execute("COMMIT")
    if not empty and application != APPLICATION_ID:
        raise OutboxError(
            f"{path} is another program's database; set ROLLCALL_STATE_DIR to a directory of its own"
        )
    if version > VERSION:
        raise _Unsound("newer")
    return 0 if empty else version


def _create(db: sqlite3.Connection) -> None:
    """Make the schema; the change and its bookkeeping are one transaction."""
    patiently(db, "BEGIN IMMEDIATE")
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
        for statement in SCHEMA:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
    patiently(db, "COMMIT")


def _snapshot(path: str) -> sqlite3.Connection | None:
    """A connection that only reads; None for an empty file. What a crash left half done is undone first."""
    try:
        return _readable(path)
    except sqlite3.OperationalError:
        with closing(_open(path, "rw", READ_WAIT)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return _readable(path)
    except (_Unsound, sqlite3.DatabaseError) as why:
        word = why if isinstance(why, _Unsound) else "damaged"
        raise OutboxError(f"{path} is {word}; the next event sets it aside and begins a new one") from None


def _readable(path: str) -> sqlite3.Connection | None:
    db = _open(path, "ro", READ_WAIT)
    try:
        if _version(path, db):
            return db
    except BaseException:
        db.close()
        raise
    db.close()
    return None


@contextmanager
def _unsoundness() -> Iterator[None]:
    """SQLite's word for a torn or foreign file is the bare DatabaseError, never a subclass of it."""
    try:
        yield
    except sqlite3.DatabaseError as why:
        if type(why) is sqlite3.DatabaseError:
            raise _Unsound("damaged") from None
        raise


@contextmanager
def _plainly() -> Iterator[None]:
    """Whatever SQLite or the system says, said for a person."""
    try:
        yield
    except (sqlite3.Error, OSError) as why:
        raise OutboxError(_words(why)) from why


def _words(why: Exception) -> str:
    text = str(why)
    if isinstance(why, PermissionError):
        return f"{why.filename} may not be read or written by this user; try it with sudo"
    if "full" in text or (isinstance(why, OSError) and why.errno == errno.ENOSPC):
        return "the disk is full: nothing could be kept"
    if "locked" in text:
        return "the outbox is held by another process; try again"
    return f"the outbox cannot be used ({text})"

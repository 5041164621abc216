"""The outbox's database: its schema, and the care it takes to open one that may be torn or a stranger's.

SQLite in its default journal, so that a reader never writes. What is not sound is set aside whole,
never repaired.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from agent.base.locks import held
from agent.base.words import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.base.statedir import StateDir

LOCK_WAIT = 10.0
READ_WAIT = 2.0
LOOKS = 5
STEP = 0.0002
VERSION = 1
APPLICATION_ID = 0x526F6C6C
"""Written into the database's head, so that somebody else's is never taken for ours."""

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


HEAD = """
    SELECT (SELECT application_id FROM pragma_application_id),
           (SELECT user_version FROM pragma_user_version),
           (SELECT count(*) = 0 FROM sqlite_master)"""


class OutboxError(Exception):
    """Nothing could be read or written; the text says why and what to do."""


class Unsound(Exception):  # noqa: N818 - reads as what it says
    """The database cannot be used; the text is the word that it is set aside under."""


class Disturbed(Exception):  # noqa: N818 - reads as what it says
    """SQLite lost its journal to a process that still held a database set aside meanwhile: look again."""


def open_for_writing(state: StateDir) -> sqlite3.Connection:
    """The database, made if there is none; an unsound one is set aside first."""
    state.make()
    try:
        return _sound(state.outbox)
    except (Unsound, Disturbed) as why:
        return begin_anew(state, str(why))


def begin_anew(state: StateDir, why: str) -> sqlite3.Connection:
    """Set an unsound database aside, unless another process has done so meanwhile."""
    path = state.outbox
    with held(state.lock, LOCK_WAIT):
        for _ in range(LOOKS):
            try:
                return _sound(path, thoroughly=True)
            except Disturbed:
                continue
            except Unsound as found:
                why = str(found)
            for suffix in ("-journal", ""):
                if os.path.lexists(path + suffix):
                    os.replace(path + suffix, f"{path}.{why}{suffix}")
            say(f"{path} is {why}: it was set aside as {path}.{why} and a new one begun", sys.stderr)
    raise Disturbed(why)


def patiently(db: sqlite3.Connection, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
    """Run a statement, waiting for other processes."""
    began = time.monotonic()
    while True:
        try:
            return db.execute(statement, values)
        except sqlite3.OperationalError as why:
            if "locked" not in str(why) or time.monotonic() - began > LOCK_WAIT:
                raise
            time.sleep(STEP)


def begin(db: sqlite3.Connection, state: StateDir) -> None:
    """Begin a change, each process in its turn.

    Only one of those who wait looks for the database to be free; so the one that just had it,
    and is quickest to want it again, does not get it over and over while others starve.
    """
    with held(state.lock, LOCK_WAIT):
        patiently(db, "BEGIN IMMEDIATE")


def _there(path: str) -> bool:
    """Whether the file exists; an error if that cannot be told, or if it is no file at all."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(found.st_mode):
        raise OutboxError(f"{path} is not a file; move it away")
    return True


def _open(path: str, mode: str, timeout: float = 0) -> sqlite3.Connection:
    every_byte = "".join(f"%{byte:02X}" for byte in os.fsencode(path))  # urllib's quote is slow to import
    uri = f"file:{every_byte}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=timeout)


def _sound(path: str, *, thoroughly: bool = False) -> sqlite3.Connection:
    """A connection to a database that is ours, of our version and not torn; else Unsound."""
    db = None
    while db is None:
        if not _there(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        try:
            db = _open(path, "rw")
        except sqlite3.OperationalError:
            if _there(path):
                raise  # else another process set it aside just now
    try:
        with unsoundness():
            db.execute("PRAGMA secure_delete = ON")
            if _version(path, db) < VERSION:
                _create(db)
            if thoroughly:
                _check(db)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise Unsound("damaged")


def _version(path: str, db: sqlite3.Connection) -> int:
    """The schema's version, 0 for an empty database; a stranger's is an error, a newer one unsound."""
    application, version, empty = patiently(db, HEAD).fetchone()
    if not empty and application != APPLICATION_ID:
        raise OutboxError(
            f"{path} is another program's database; set ROLLCALL_STATE_DIR to a directory of its own"
        )
    if version > VERSION:
        raise Unsound("newer")
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


def which_file(path: str) -> tuple[int, int] | None:
    """What tells the file of that name from one that replaced it; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def between_transactions(state: StateDir) -> Iterator[None]:
    """For who deletes the database: while no other process is in the middle of a change."""
    with plainly(), ExitStack() as stack:
        if _there(state.outbox):
            db = stack.enter_context(closing(_open(state.outbox, "rw")))
            try:
                patiently(db, "BEGIN EXCLUSIVE")
            except sqlite3.DatabaseError as why:
                if type(why) is not sqlite3.DatabaseError:
                    raise
        yield


def open_for_reading(path: str) -> sqlite3.Connection | None:
    """A connection that only reads; None for no file or an empty one.

    What a crash left half done is undone first.
    """
    if not _there(path):
        return None
    try:
        return _readable(path)
    except sqlite3.OperationalError:
        with closing(_open(path, "rw", READ_WAIT)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return _readable(path)
    except (Unsound, sqlite3.DatabaseError) as why:
        word = why if isinstance(why, Unsound) else "damaged"
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
def unsoundness() -> Iterator[None]:
    """SQLite's word for a torn or foreign file is the bare DatabaseError, never a subclass of it."""
    try:
        yield
    except sqlite3.DatabaseError as why:
        if type(why) is sqlite3.DatabaseError:
            raise Unsound("damaged") from None
        if "disk I/O error" in str(why):
            raise Disturbed(_words(why)) from why
        raise


@contextmanager
def plainly() -> Iterator[None]:
    """Whatever SQLite or the system says, said for a person."""
    try:
        yield
    except Disturbed as why:
        raise OutboxError(str(why)) from why
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

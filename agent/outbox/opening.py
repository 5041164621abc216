"""Opening the outbox's file, to change it or only to read it. A file that cannot be used is an error."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

from agent.base.locks import hold_lock
from agent.outbox.errors import UNSOUND, OutboxError, Unsound, file_faults, plain_errors
from agent.outbox.schema import APPLICATION_ID, LATER, SCHEMA, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.base.statedir import StateDir

LOCK_WAIT = 10.0
POLL_SECONDS = 0.0002

IDENTIFY = """
    SELECT (SELECT application_id FROM pragma_application_id),
           (SELECT user_version FROM pragma_user_version),
           (SELECT count(*) = 0 FROM sqlite_master)"""


@contextmanager
def hold_outbox(state: StateDir) -> Iterator[None]:
    """Hold the lock under which the file is renamed or deleted.

    SQLite finds a journal by its name. A statement in a file that was renamed could play the journal of the
    new file back into the old one, and delete it. A read-only disk has no lock, and nobody who renames.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(state.lock, LOCK_WAIT))
        except OSError as why:
            if why.errno != errno.EROFS:
                raise
        yield


def execute_patiently(
    db: sqlite3.Connection, statement: str, values: Sequence[object] = ()
) -> sqlite3.Cursor:
    """Run a statement, waiting for other processes."""
    began = time.monotonic()
    while True:
        try:
            return db.execute(statement, values)
        except sqlite3.OperationalError as why:
            if "locked" not in str(why) or time.monotonic() - began > LOCK_WAIT:
                raise
            time.sleep(POLL_SECONDS)


def all_rows(db: sqlite3.Connection, statement: str, values: Sequence[object] = ()) -> list[Any]:
    """The whole answer to a query. What is torn shows with the first row, or with a later one."""
    return execute_patiently(db, statement, values).fetchall()


def is_there(path: str) -> bool:
    """Whether the file exists; an error if that cannot be told, or if it is no file at all."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(found.st_mode):
        raise OutboxError(f"{path} is not a file; move it away")
    return True


def open_file(path: str, mode: str) -> sqlite3.Connection:
    every_byte = "".join(f"%{byte:02X}" for byte in os.fsencode(path))  # urllib's quote is slow to import
    uri = f"file:{every_byte}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)
    db.text_factory = _text
    return db


def _text(data: bytes) -> str:
    """A text of a row. One that the disk tore costs no other: it is sent, and rejected alone."""
    return data.decode("utf-8", "replace")


def open_sound(path: str, *, thoroughly: bool = False) -> sqlite3.Connection:
    """A connection to a database that is ours, of our version and not torn; otherwise Unsound."""
    db = None
    while db is None:
        if not is_there(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        try:
            db = open_file(path, "rw")
        except sqlite3.OperationalError:
            if is_there(path):
                raise  # otherwise another process set it aside just now
    try:
        with file_faults():
            db.execute("PRAGMA secure_delete = ON")
            # A change is done once its journal is deleted, and that is on disk too: a journal that comes back
            # after a power cut would undo it.
            execute_patiently(db, "PRAGMA synchronous = EXTRA")
            if _version(path, db) < VERSION:
                _create(db)
            for statement in LATER:
                execute_patiently(db, statement)
            if thoroughly:
                _check(db)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection) -> None:
    """Not quick_check, which misses a page that is whole, but older than those that speak of it."""
    if db.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise Unsound("damaged")


def _version(path: str, db: sqlite3.Connection) -> int:
    """The schema's version, 0 for an empty database. Another program's is an error, a newer one unsound."""
    application, version, empty = execute_patiently(db, IDENTIFY).fetchone()
    if not empty and application != APPLICATION_ID:
        raise OutboxError(f"{path} belongs to another program; set ROLLCALL_STATE_DIR to another directory")
    if version > VERSION:
        raise Unsound("newer")
    return 0 if empty else version


def _create(db: sqlite3.Connection) -> None:
    """Make the schema; the change and its bookkeeping are one transaction."""
    execute_patiently(db, "BEGIN IMMEDIATE")
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
        for statement in SCHEMA:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
    execute_patiently(db, "COMMIT")


@contextmanager
def read_only(state: StateDir) -> Iterator[sqlite3.Connection | None]:
    """A connection that never writes; None for no file or an empty one. OutboxError if it cannot be read."""
    with plain_errors():
        db = _open_to_read(state)
        try:
            yield db
        finally:
            if db is not None:
                db.close()


def _open_to_read(state: StateDir) -> sqlite3.Connection | None:
    """A read-only connection. If a crash left a change half done, that is undone first."""
    path = state.outbox
    if not is_there(path):
        return None
    try:
        return _readable(path)
    except sqlite3.OperationalError:
        with hold_outbox(state), closing(open_file(path, "rw")) as db:
            execute_patiently(db, "SELECT count(*) FROM sqlite_master").fetchone()
        return _readable(path)
    except (Unsound, sqlite3.DatabaseError) as why:
        words = UNSOUND[str(why) if isinstance(why, Unsound) else "damaged"]
        raise OutboxError(
            f"{path} {words}; with the next event it is renamed, and a new one is made"
        ) from None


def _readable(path: str) -> sqlite3.Connection | None:
    db = open_file(path, "ro")
    try:
        if _version(path, db):
            return db
    except BaseException:
        db.close()
        raise
    db.close()
    return None

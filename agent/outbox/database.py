"""The outbox's database file: opened with care, changed in whole transactions.

SQLite with its default journal, so that a reader never writes. A file that cannot be used (torn, or of a
newer version) is renamed and a new one begun; it is never repaired.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

from agent.base.locks import hold_lock
from agent.base.messages import print_message
from agent.outbox.schema import APPLICATION_ID, LATER, SCHEMA, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.base.statedir import StateDir

LOCK_WAIT = 10.0
READ_WAIT = 2.0
POLL_SECONDS = 0.0002
MAX_ATTEMPTS = 5
"""How often a change is tried where other processes replace the file meanwhile."""

IDENTIFY = """
    SELECT (SELECT application_id FROM pragma_application_id),
           (SELECT user_version FROM pragma_user_version),
           (SELECT count(*) = 0 FROM sqlite_master)"""

UNSOUND = {"damaged": "is damaged", "newer": "was made by a newer version of Rollcall"}
"""Why a database cannot be used: the ending that it gets, and what is said of it."""

T = TypeVar("T")


class OutboxError(Exception):
    """Nothing could be read or written; the text says why and what to do."""


class Unsound(Exception):  # noqa: N818 - reads as what it says
    """The database cannot be used; the text is a key of UNSOUND."""


class Disturbed(Exception):  # noqa: N818 - reads as what it says
    """Another process, which still held a renamed database, took our journal: try again."""


class Database:
    """The connection of a process that writes.

    The file is made if there is none. One that cannot be used is set aside, both when it is opened and when
    a change finds it so; the change is then made in the new file.
    """

    def __init__(self, state: StateDir) -> None:
        self._state = state
        self.was_replaced = False
        """Whether the file was replaced since it was opened: its rows are then other events."""
        with plain_errors():
            state.make()
            try:
                self._db = _open_sound(state.outbox)
            except (Unsound, Disturbed) as why:
                self._db = self._begin_anew(str(why))
            self._file = _which_file(state.outbox)

    def close(self) -> None:
        self._db.close()

    def query(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run a query between the changes of other processes, which keep readers out while they commit."""
        with plain_errors():
            return execute_patiently(self._db, statement, values)

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the work in one transaction. It is on disk on return; OutboxError if nothing was changed."""
        with plain_errors():
            for _ in range(MAX_ATTEMPTS):
                try:
                    return self._attempt(work)
                except (Unsound, Disturbed) as why:
                    self._db.close()
                    self._db = self._begin_anew(str(why))
                file = _which_file(self._state.outbox)
                self.was_replaced, self._file = self.was_replaced or file != self._file, file
            return self._attempt(work)

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with _file_faults():
            self._begin()
            try:
                self._check_the_file()
                result = work(self._db)
                execute_patiently(self._db, "COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            return result

    def _begin(self) -> None:
        """Begin a transaction, each process in its turn.

        Only one of those who wait polls the database. So the one that just had it, and is quickest to
        want it again, does not get it over and over while others starve.
        """
        with hold_lock(self._state.lock, LOCK_WAIT):
            execute_patiently(self._db, "BEGIN IMMEDIATE")

    def _check_the_file(self) -> None:
        """An event must not go into a file that was deleted or set aside since it was opened."""
        if _which_file(self._state.outbox) != self._file:
            raise Unsound("replaced")

    def _begin_anew(self, why: str) -> sqlite3.Connection:
        """Set an unusable file aside, unless another process has done so meanwhile."""
        path = self._state.outbox
        with hold_lock(self._state.lock, LOCK_WAIT):
            for _ in range(MAX_ATTEMPTS):
                try:
                    return _open_sound(path, thoroughly=True)
                except Disturbed:
                    continue
                except Unsound as found:
                    why = str(found)
                for suffix in ("-journal", ""):
                    if os.path.lexists(path + suffix):
                        os.replace(path + suffix, f"{path}.{why}{suffix}")
                print_message(
                    f"{path} {UNSOUND[why]}; it was renamed to {path}.{why}, and a new one was made",
                    sys.stderr,
                )
        raise Disturbed(why)


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


def _open_sound(path: str, *, thoroughly: bool = False) -> sqlite3.Connection:
    """A connection to a database that is ours, of our version and not torn; otherwise Unsound."""
    db = None
    while db is None:
        if not _there(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        try:
            db = _open(path, "rw")
        except sqlite3.OperationalError:
            if _there(path):
                raise  # otherwise another process set it aside just now
    try:
        with _file_faults():
            db.execute("PRAGMA secure_delete = ON")
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
    if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
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


def _which_file(path: str) -> tuple[int, int] | None:
    """The identity of the file of that name, which one that replaces it does not have; None for no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def between_transactions(state: StateDir) -> Iterator[None]:
    """Keep other processes from changing the database; for the one that deletes it."""
    with plain_errors(), ExitStack() as stack:
        if _there(state.outbox):
            db = stack.enter_context(closing(_open(state.outbox, "rw")))
            try:
                execute_patiently(db, "BEGIN EXCLUSIVE")
            except sqlite3.DatabaseError as why:
                if type(why) is not sqlite3.DatabaseError:
                    raise
        yield


@contextmanager
def read_only(path: str) -> Iterator[sqlite3.Connection | None]:
    """A connection that never writes; None for no file or an empty one. OutboxError if it cannot be read."""
    with plain_errors():
        db = _open_to_read(path)
        try:
            yield db
        finally:
            if db is not None:
                db.close()


def _open_to_read(path: str) -> sqlite3.Connection | None:
    """A read-only connection. If a crash left a change half done, that is undone first."""
    if not _there(path):
        return None
    try:
        return _readable(path)
    except sqlite3.OperationalError:
        with closing(_open(path, "rw", READ_WAIT)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return _readable(path)
    except (Unsound, sqlite3.DatabaseError) as why:
        words = UNSOUND[str(why) if isinstance(why, Unsound) else "damaged"]
        raise OutboxError(
            f"{path} {words}; with the next event it is renamed, and a new one is made"
        ) from None


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
def _file_faults() -> Iterator[None]:
    """For a torn file SQLite raises the bare DatabaseError, never a subclass of it."""
    try:
        yield
    except sqlite3.DatabaseError as why:
        if type(why) is sqlite3.DatabaseError:
            raise Unsound("damaged") from None
        if "disk I/O error" in str(why):
            raise Disturbed(_words(why)) from why
        raise


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what SQLite or the system raises into an OutboxError in words for a person."""
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
        return "the disk is full, so nothing can be stored"
    if "locked" in text:
        return "another process is using the outbox; try again"
    return f"the outbox cannot be used ({text})"

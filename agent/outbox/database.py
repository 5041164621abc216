"""The outbox's database file: opened with care, changed in whole transactions.

SQLite with its default journal, so that a reader never writes. A file that cannot be used (torn, or of a
newer version) is renamed and a new one begun; it is never repaired.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from agent.base.messages import print_message
from agent.outbox.errors import UNSOUND, Disturbed, Unsound, file_faults, plain_errors
from agent.outbox.opening import all_rows, execute_patiently, hold_outbox, is_there, open_file, open_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.base.statedir import StateDir

MAX_ATTEMPTS = 5
"""How often a change is tried where other processes replace the file meanwhile."""

T = TypeVar("T")


class Database:
    """The connection of a process that writes.

    The file is made if there is none. One that cannot be used is set aside, both when it is opened and when
    a change or a query finds it so; that is then done in the new file.
    """

    def __init__(self, state: StateDir) -> None:
        self._state = state
        self.was_replaced = False
        """Whether the file was opened again: it may be a new one, and its rows other events."""
        with plain_errors():
            state.make()
            with hold_outbox(state):
                try:
                    self._db = open_sound(state.outbox)
                except (Unsound, Disturbed) as why:
                    self._db = self._begin_anew(str(why))
                self._file = _which_file(state.outbox)

    def close(self) -> None:
        self._db.close()

    def query(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """The answer to a query between the changes of other processes, which keep readers out meanwhile."""
        return self._in_sound_file(lambda: self._rows(statement, values))

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the work in one transaction. It is on disk on return; OutboxError if nothing was changed."""
        return self._in_sound_file(lambda: self._attempt(work))

    def _in_sound_file(self, attempt: Callable[[], T]) -> T:
        with plain_errors():
            for _ in range(MAX_ATTEMPTS):
                try:
                    return attempt()
                except (Unsound, Disturbed) as why:
                    with hold_outbox(self._state):
                        self._reopen(str(why))
            return attempt()

    def _rows(self, statement: str, values: Sequence[object]) -> list[Any]:
        with file_faults(), self._turn():
            return all_rows(self._db, statement, values)

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with file_faults():
            with self._turn():
                execute_patiently(self._db, "BEGIN IMMEDIATE")
            try:
                result = work(self._db)
                execute_patiently(self._db, "COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            return result

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Begin a query or a change: each process in its turn, and only in the file that has the name now.

        Only one of those who wait polls the database. So the one that just had it, and is quickest to
        want it again, does not get it over and over while others starve.
        """
        with hold_outbox(self._state):
            if _which_file(self._state.outbox) != self._file:
                self._reopen("replaced")
            yield

    def _reopen(self, why: str) -> None:
        """Open the file that has the name now; the caller holds the outbox."""
        self._db.close()
        self._db = self._begin_anew(why)
        self.was_replaced, self._file = True, _which_file(self._state.outbox)

    def _begin_anew(self, why: str) -> sqlite3.Connection:
        """Set an unusable file aside, unless another process has done so. The caller holds the outbox."""
        path = self._state.outbox
        for _ in range(MAX_ATTEMPTS):
            try:
                return open_sound(path, thoroughly=True)
            except Disturbed:
                continue
            except Unsound as found:
                why = str(found)
            for suffix in ("-journal", ""):
                if os.path.lexists(path + suffix):
                    os.replace(path + suffix, f"{path}.{why}{suffix}")
            print_message(
                f"{path} {UNSOUND[why]}; it was renamed to {path}.{why}, and a new one was made", sys.stderr
            )
        raise Disturbed(why)


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
    with plain_errors(), hold_outbox(state), ExitStack() as stack:
        if is_there(state.outbox):
            db = stack.enter_context(closing(open_file(state.outbox, "rw")))
            try:
                execute_patiently(db, "BEGIN EXCLUSIVE")
            except sqlite3.DatabaseError as why:
                if type(why) is not sqlite3.DatabaseError:
                    raise
        yield

"""SQLite: one file, one server, each commit flushed to the disk."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from collector.store import migrations, schema
from collector.store.database import Database, Key, Row, Transaction
from collector.store.dialect import Dialect
from collector.store.errors import HOW_TO_BEGIN, StoreError, StoreUnavailable
from collector.store.file_owner import make_file
from collector.store.values import Space

# How long a writer waits for another process's transaction (a purge, an import).
BUSY_MS = 10_000
CACHE_KIB = 32 * 1024
# Of each thread that makes views; the system keeps what they read in its own cache as well.
READER_CACHE_KIB = 2 * 1024
# Pages of the log before they are copied into the file, which costs two flushes: 16 MB, SQLite's is 4.
CHECKPOINT_PAGES = 4000
# Rows per statement. Every step of a statement releases the interpreter, and on a busy server it takes
# up to a switch interval to get it back. So a step writes many rows, and a result is one row. There are
# few sizes, so that every statement is prepared already.
SIZES = (128, 32, 8, 2, 1)

_decode = msgspec.json.Decoder().decode


class SQLiteTransaction(Transaction):
    """Statements on the write connection, between BEGIN IMMEDIATE and COMMIT."""

    dialect: Dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, *values: Any) -> int:
        return self._connection.execute(sql, values).rowcount

    def all(self, sql: str, *values: Any) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()

    def known(self, table: schema.Table, keys: Sequence[Key]) -> set[Key]:
        found: set[Key] = set()
        for chunk in _padded(keys):
            values = [value for key in chunk for value in key]
            rows = self._array(_select_keys(table, len(chunk)), values)
            found.update((source, bytes.fromhex(key)) for source, key in rows)
        return found

    def insert_new(
        self, table: schema.Table, rows: Sequence[Row], beside: schema.Table | None = None
    ) -> set[Key]:
        keys = [row[:2] for row in rows]
        known = self.known(table, keys) | (self.known(beside, keys) if beside else set())
        fresh = [row for row in rows if row[:2] not in known]
        self._write(table, fresh)
        return {row[:2] for row in fresh}

    def upsert(self, table: schema.Table, rows: Sequence[Row]) -> None:
        self._write(table, rows)

    def fetch(self, table: schema.Table, keys: Sequence[Key]) -> list[Row]:
        blobs = [index for index, (_, kind, _) in enumerate(table.columns) if kind == "bytes"]
        rows: dict[tuple[int, str], Row] = {}  # each once, though a key may be looked up twice
        for chunk in _padded(keys):
            sql = _select(table, len(chunk))
            for row in self._array(sql, [value for key in chunk for value in key]):
                key = (row[0], row[1])
                for index in blobs:
                    row[index] = bytes.fromhex(row[index])
                rows[key] = tuple(row)
        return list(rows.values())

    def wait_for_writers(self) -> None:
        """There is no other writer."""

    def wait_to_count(self) -> None:
        """There is one writer at a time in any case."""

    def may_count(self) -> bool:
        return True

    def wait_for_keeps(self) -> None:
        """There is no other writer."""

    def wait_for_marks(self) -> None:
        """There is no other writer."""

    def ask(self, *queries: tuple[Any, ...]) -> list[list[Row]]:
        return [self.all(*query) for query in queries]

    def send(self, sql: str, *values: Any) -> None:
        self.execute(sql, *values)

    def wait_for_turn(self, source: int) -> None:
        """There is one writer at a time in any case."""

    def _write(self, table: schema.Table, rows: Sequence[Row]) -> int:
        written = 0
        for chunk in _chunks(rows):
            sql = _upsert(table, len(chunk))
            written += self._connection.execute(sql, list(chain.from_iterable(chunk))).rowcount
        return written

    def _array(self, sql: str, values: list[Any]) -> list[list[Any]]:
        found: list[list[Any]] = _decode(self._connection.execute(sql, values).fetchone()[0])
        return found


class SQLiteDatabase(Database):
    """A database file, with one connection per thread for reading and one for writing."""

    dialect: Dialect = "sqlite"

    def __init__(self, path: str, *, make: bool = True) -> None:
        if not make:
            _check_exists(path)
        self.path = path
        self._claim: int | None = None
        self._flushes = True
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        with _explained(path):
            Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            make_file(path)
            self._writer = self._connect(CACHE_KIB)
        try:
            with self.transaction() as tx:
                migrations.apply_migrations(tx, int(time.time() * 1000), migrations.MIGRATIONS)
        except BaseException:
            self.close()
            raise
        # What a statement would have to undo: in a file it would be written as often as the pages themselves.
        # Only from here on, because what a migration sorts may be larger than the memory.
        self._writer.execute("PRAGMA temp_store = MEMORY")

    @contextmanager
    def transaction(self, *, lasting: bool = True) -> Iterator[Transaction]:
        with self._in_turn(), _explained(self.path):
            self._set_flushing(lasting=lasting)
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield SQLiteTransaction(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _set_flushing(self, *, lasting: bool) -> None:
        """Whether the next commit flushes the log. What the file is to get is flushed in any case."""
        if lasting is not self._flushes:
            self._writer.execute(f"PRAGMA synchronous = {'FULL' if lasting else 'NORMAL'}")
            self._flushes = lasting

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Hold the write connection. Who waits for it gets it before who has just had it."""
        with self._turn:
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def rows(self, sql: str, *values: Any) -> Iterator[Row]:
        with _explained(self.path):
            if not hasattr(self._local, "reader"):
                self._local.reader = self._connect(READER_CACHE_KIB)
            yield from self._local.reader.execute(sql, values)

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        with _explained(self.path), closing(self._open(READER_CACHE_KIB)) as reader:
            reader.execute("BEGIN")
            yield SQLiteTransaction(reader)

    def space(self) -> Space:
        """Pages of deleted rows count as free: the file does not shrink, but they are used first."""
        ((page,),) = self.all("PRAGMA page_size")
        ((pages,),) = self.all("PRAGMA page_count")
        ((unused,),) = self.all("PRAGMA freelist_count")
        with _explained(self.path):
            disk = os.statvfs(self.path)
        return Space((pages - unused) * page, disk.f_bavail * disk.f_frsize + unused * page)

    def tidy(self) -> None:
        self.all("PRAGMA wal_checkpoint(TRUNCATE)")

    def serve(self) -> None:
        self._claim = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(
                f"another collector already uses {self.path}; to run several collectors, use PostgreSQL"
            ) from None

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        connection = self._open(cache_kib)
        self._connections.append(connection)
        return connection

    def _open(self, cache_kib: int) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # zeros in place of what was deleted
        return connection


def _check_exists(path: str) -> None:
    """StoreError if there is no such file, or if that cannot be told: it may be another user's."""
    with _explained(path):
        try:
            os.stat(path)
        except FileNotFoundError:
            raise StoreError(f"there is no database at {path}; {HOW_TO_BEGIN}") from None


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn errors into StoreError; a full disk or a long lock is temporary, everything else is not."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} is damaged, or is not a database of the collector: {error}") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


@lru_cache(maxsize=1000)
def _upsert(table: schema.Table, count: int) -> str:
    row = f"({','.join('?' * len(table.names))})"
    rows = ",".join([row] * count)
    return f"INSERT INTO {table.name} ({','.join(table.names)}) VALUES {rows} {table.conflict_clause}"


@lru_cache(maxsize=1000)
def _select(table: schema.Table, count: int) -> str:
    """The rows by source and id, as one JSON array.

    CROSS keeps the order of the join: one lookup per key, never a scan.
    """
    shown = ",".join(f"hex({name})" if kind == "bytes" else name for name, kind, _ in table.columns)
    wanted = ",".join(["(?,?)"] * count)
    return (
        f"SELECT json_group_array(json_array({shown})) FROM (VALUES {wanted}) AS wanted"
        f" CROSS JOIN {table.name} ON source = wanted.column1 AND id = wanted.column2"
    )


@lru_cache(maxsize=1000)
def _select_keys(table: schema.Table, count: int) -> str:
    """Those of the keys that are in a table, as one JSON array."""
    wanted = ",".join(["(?,?)"] * count)
    return (
        f"SELECT json_group_array(json_array(source, hex(id))) FROM (VALUES {wanted}) AS wanted"
        f" CROSS JOIN {table.name} ON source = wanted.column1 AND id = wanted.column2"
    )


def _chunks(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The rows in as few pieces of the known sizes as there can be."""
    start = 0
    for size in SIZES:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


def _padded(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The keys in pieces of the known sizes, the last one filled up by repeating a key.

    Whoever looks up a key twice finds the same.
    """
    for start in range(0, len(keys), SIZES[0]):
        piece = list(keys[start : start + SIZES[0]])
        size = min(size for size in SIZES if size >= len(piece))
        yield piece + piece[-1:] * (size - len(piece))

"""PostgreSQL: several collectors at once; rows are locked in the order of their keys."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import errors

from collector.store import migrations, schema
from collector.store.connections import Connection, Connections, Lost
from collector.store.database import Database, Key, Row, Transaction
from collector.store.dialect import Dialect
from collector.store.errors import HOW_TO_BEGIN, Conflict, StoreError, StoreUnavailable, Undone
from collector.store.retries import with_retries
from collector.store.values import Space

MIGRATION_LOCK = 0x526F6C6C  # "Roll": one collector at a time brings the schema up to date
COUNT_LOCK = 0x436F756E  # "Coun": one collector at a time counts
TURN_LOCK = 0x5475726E  # "Turn": one collector at a time admits new words of a source
TYPES = {"int": "bigint", "text": "text", "bytes": "bytea"}
# Encodings of a database that take any text; the second one stores its bytes as they come.
TAKE_ANY_TEXT = ("UTF8", "SQL_ASCII")


class PostgresTransaction(Transaction):
    """Statements of one transaction."""

    dialect: Dialect = "postgresql"

    def __init__(self, connection: Connection, pipeline: psycopg.Pipeline) -> None:
        self._connection, self._pipeline = connection, pipeline
        self._fetched: set[tuple[str, int, bytes]] = set()

    def execute(self, sql: str, *values: Any) -> int:
        cursor = self._connection.execute(_native(sql), values)
        self._pipeline.sync()  # only then is it known how many
        return cursor.rowcount

    def all(self, sql: str, *values: Any) -> list[Row]:
        return self._connection.execute(_native(sql), values).fetchall()

    def known(self, table: schema.Table, keys: Sequence[Key]) -> set[Key]:
        if not keys:
            return set()
        cursor = self._connection.cursor(binary=True)
        cursor.execute(_select_keys(table), _arrays_of(keys))
        return {(source, bytes(key)) for source, key in cursor.fetchall()}

    def insert_new(
        self, table: schema.Table, rows: Sequence[Row], beside: schema.Table | None = None
    ) -> set[Key]:
        if not rows:
            return set()
        cursor = self._connection.cursor(binary=True)
        cursor.execute(_insert(table, beside) + " RETURNING source, id", _arrays(table, rows))
        return {(source, bytes(key)) for source, key in cursor.fetchall()}

    def upsert(self, table: schema.Table, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if table.on_conflict == "add":
            self._connection.execute(_insert(table), _arrays(table, rows))
            return
        cursor = self._connection.cursor(binary=True)
        cursor.execute(_insert(table) + " RETURNING source, id, xmax = 0", _arrays(table, rows))
        for source, key, inserted in cursor.fetchall():
            if inserted == ((table.name, source, bytes(key)) in self._fetched):
                raise Conflict("PostgreSQL: another collector wrote the same row first")

    def fetch(self, table: schema.Table, keys: Sequence[Key]) -> list[Row]:
        if not keys:
            return []
        cursor = self._connection.cursor(binary=True)
        cursor.execute(_select(table), _arrays_of(keys))
        rows = cursor.fetchall()
        self._fetched.update((table.name, row[0], bytes(row[1])) for row in rows)
        return rows

    def wait_for_writers(self) -> None:
        self.execute("LOCK TABLE events IN SHARE MODE")

    def wait_to_count(self) -> None:
        self.all("SELECT pg_advisory_xact_lock(?)", COUNT_LOCK)

    def may_count(self) -> bool:
        return bool(self.all("SELECT pg_try_advisory_xact_lock(?)", COUNT_LOCK)[0][0])

    def wait_for_keeps(self) -> None:
        self.execute("LOCK TABLE pending IN SHARE ROW EXCLUSIVE MODE")

    def wait_for_marks(self) -> None:
        self.execute("LOCK TABLE expired IN ACCESS EXCLUSIVE MODE")

    def ask(self, *queries: tuple[Any, ...]) -> list[list[Row]]:
        cursors = [self._connection.execute(_native(sql), values) for sql, *values in queries]
        return [cursor.fetchall() for cursor in cursors]

    def send(self, sql: str, *values: Any) -> None:
        self._connection.execute(_native(sql), values)

    def wait_for_turn(self, source: int) -> None:
        self.all("SELECT pg_advisory_xact_lock(?, ?)", TURN_LOCK, source % 2**31)


class PostgresDatabase(Database):
    """A database, with a pool of connections."""

    dialect: Dialect = "postgresql"

    def __init__(self, url: str, *, make: bool = True) -> None:
        self._connections = Connections(url)
        try:
            self._check_encoding()
            self._migrate(make=make)
        except StoreUnavailable as error:
            self.close()
            raise StoreError(str(error)) from error
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self, *, lasting: bool = True) -> Iterator[Transaction]:
        with _explained(), self._connections.transaction() as (connection, pipeline):
            if not lasting:
                connection.execute("SET LOCAL synchronous_commit = off")
            yield PostgresTransaction(connection, pipeline)

    def rows(self, sql: str, *values: Any) -> Iterator[Row]:
        yield from self._result(_native(sql), values)

    @with_retries
    def _result(self, sql: str, values: tuple[Any, ...]) -> psycopg.Cursor[Row]:
        with _explained():
            return self._connections.read(sql, values)

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        with self.transaction() as tx:
            tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield tx

    def space(self) -> Space:
        """Its server may be another machine, so nobody knows what its disk has left."""
        return Space(int(self.all("SELECT pg_database_size(current_database())")[0][0]), None)

    def tidy(self) -> None:
        """PostgreSQL's own vacuum does it."""

    def serve(self) -> None:
        """Any number of collectors may serve one PostgreSQL."""

    def close(self) -> None:
        self._connections.close()

    def _check_encoding(self) -> None:
        """StoreError if an event may hold characters that the database cannot store."""
        encoding = str(self.all("SHOW server_encoding")[0][0])
        if encoding not in TAKE_ANY_TEXT:
            raise StoreError(
                f"PostgreSQL: the database's encoding is {encoding}, which cannot hold every character;"
                " create one with ENCODING 'UTF8' TEMPLATE template0"
            )

    def _migrate(self, *, make: bool) -> None:
        with self.transaction() as tx:
            if not make and tx.all("SELECT to_regclass('migrations')") == [(None,)]:
                raise StoreError(f"PostgreSQL: the collector has no tables in this database; {HOW_TO_BEGIN}")
            tx.execute("SET LOCAL statement_timeout = 0")  # an index over all events takes its time
            tx.all("SELECT pg_advisory_xact_lock(?)", MIGRATION_LOCK)
            migrations.apply_migrations(tx, int(time.time() * 1000), migrations.MIGRATIONS)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn errors into StoreError without any data; its class says what is temporary, and what is undone."""
    try:
        yield
    except (errors.DeadlockDetected, errors.SerializationFailure) as error:
        raise Conflict(_words(error)) from error
    except Lost as error:
        raise Undone(_words(error)) from error
    except (psycopg.OperationalError, psycopg.InterfaceError, errors.AdminShutdown) as error:
        raise StoreUnavailable(_words(error)) from error
    except errors.UndefinedTable as error:
        # A table of a day was dropped meanwhile; to begin again finds the tables that are left.
        raise Conflict(_words(error)) from error
    except psycopg.Error as error:
        raise StoreError(_words(error)) from error


def _words(error: psycopg.Error) -> str:
    if error.sqlstate:
        return f"PostgreSQL: {error.diag.message_primary or type(error).__name__} ({error.sqlstate})"
    if isinstance(error, psycopg.ProgrammingError):  # whose text may quote a password
        return "PostgreSQL: the URL is not valid; in a password, write % @ / as %25 %40 %2F"
    return f"PostgreSQL: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


@lru_cache(maxsize=1000)
def _native(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


@lru_cache(maxsize=100)
def _insert(table: schema.Table, beside: schema.Table | None = None) -> str:
    # %b: an array in binary takes psycopg a thirtieth of the time of one in text.
    arrays = ", ".join(f"%b::{TYPES[kind]}[]" for _, kind, _ in table.columns)
    names = ", ".join(table.names)
    new = f"SELECT * FROM unnest({arrays}) AS new ({names})"
    if beside:
        same = f"{beside.name}.source = new.source AND {beside.name}.id = new.id"
        new += f" WHERE NOT EXISTS (SELECT 1 FROM {beside.name} WHERE {same})"
    if table.clustered:
        return f"INSERT INTO {table.name} ({names}) {new} {table.conflict_clause}"
    # Numbered as they came, and locked in the order of their keys, as another collector does it.
    numbered = f"SELECT nextval('{table.name}_seq_seq') AS seq, numbered.* FROM ({new}) AS numbered"
    return (
        f"INSERT INTO {table.name} (seq, {names}) OVERRIDING SYSTEM VALUE"
        f" SELECT seq, {names} FROM ({numbered}) AS new ORDER BY source, id {table.conflict_clause}"
    )


@lru_cache(maxsize=100)
def _select(table: schema.Table) -> str:
    names = ", ".join(f"t.{name}" for name in table.names)
    return (
        f"SELECT {names} FROM {table.name} t JOIN unnest(%b::bigint[], %b::bytea[]) AS wanted (source, id)"
        " USING (source, id) ORDER BY t.source, t.id FOR UPDATE OF t"
    )


@lru_cache(maxsize=100)
def _select_keys(table: schema.Table) -> str:
    return (
        f"SELECT source, id FROM {table.name} JOIN unnest(%b::bigint[], %b::bytea[]) AS wanted (source, id)"
        " USING (source, id)"
    )


def _arrays_of(keys: Sequence[Key]) -> list[list[Any]]:
    return [[source for source, _ in keys], [key for _, key in keys]]


def _arrays(table: schema.Table, rows: Sequence[Row]) -> list[list[Any]]:
    return [list(column) for column in list(zip(*rows, strict=True))[: len(table.columns)]]

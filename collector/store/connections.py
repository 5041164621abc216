"""Connections to PostgreSQL: a pool for all threads, which can tell why it has none.

A connection keeps nothing from one transaction to the next: no setting and no lock. So a pooler that gives
each transaction another server connection, as PgBouncer does, may stand between. Then no statement is
prepared.

A server may go away at any time, and another one take its place: each name of the URL's hosts is tried, and
a connection that was idle is looked at before it is lent. So after a fail-over nobody meets an old one.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from collector.store.database import Row

CONNECT_SECONDS = 5
LEAST_CONNECT_SECONDS = 2  # libpq takes no less
# A server's machine that acknowledges nothing for so long is gone. However long a statement takes, it does.
UNHEARD_MS = 10_000
# PostgreSQL ends a statement that takes longer; the client sends its events again.
STATEMENT_MS = 30_000
# Connections of one process. Its threads that ask at the same time are fewer.
MOST = 10
# How often somebody who waits for a connection looks whether there can be one.
LOOK_SECONDS = 0.1
OPTIONS = {
    "autocommit": True,  # a transaction is begun by hand, together with its settings
    "application_name": "rollcall-collector",
    "client_encoding": "UTF8",  # else a database in SQL_ASCII gives its texts as bytes
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": UNHEARD_MS,
}

Connection = psycopg.Connection[Row]


class Lost(psycopg.OperationalError):
    """The connection was lost, and the server has committed nothing."""


class Connections:
    """Lends connections to threads. They are made when they are needed, and again when they were lost."""

    def __init__(self, url: str) -> None:
        logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # errors say it, and they name no server
        self._failure: psycopg.Error | None = None  # of the last attempt to connect
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            connection_class=_noting(self._note),
            kwargs=_options(url),
            configure=_heed_pooler,
            min_size=0,
            max_size=MOST,
            reconnect_timeout=0,  # the next one who asks tries again
            open=True,
        )

    @contextmanager
    def transaction(self) -> Iterator[tuple[Connection, psycopg.Pipeline]]:
        """A connection in a transaction, which is committed at the end.

        Statements wait in the pipeline until a result is fetched, or until it is synced. Lost if the
        connection was lost before the commit was sent: from then on nobody knows.
        """
        committing = False
        try:
            with self._taken() as connection, connection.pipeline() as pipeline:
                connection.execute("BEGIN")
                connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
                yield connection, pipeline
                committing = True
                connection.execute("COMMIT")  # on the way with what waits; else it would take a round trip
        except Lost as lost:
            if committing:
                raise psycopg.OperationalError(f"it is not known whether it was committed: {lost}") from lost
            raise

    def read(self, sql: str, values: tuple[Any, ...]) -> psycopg.Cursor[Row]:
        """The result of one query, in a transaction of its own."""
        with self._taken() as connection, connection.pipeline():  # in one round trip, too
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(STATEMENT_MS)])
            return connection.execute(sql, values)

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def _taken(self) -> Iterator[Connection]:
        connection = self._take_live()
        try:
            with connection:
                yield connection
        except psycopg.Error as error:
            if _is_lost(connection, error):
                connection.close()
                raise Lost(error.diag.message_primary or str(error)) from error
            raise
        finally:
            self._put_back(connection)

    def _put_back(self, connection: Connection) -> None:
        if connection.closed:  # then its server has gone, and so have the others
            self._pool.drain()
        self._pool.putconn(connection)

    def _take_live(self) -> Connection:
        """A connection whose server has not hung up, as far as this side knows."""
        while not _lives(connection := self._take()):
            connection.close()
            self._put_back(connection)
        return connection

    def _take(self) -> Connection:
        """A connection; an error as soon as it is known that there is none at all."""
        until = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                return self._pool.getconn(LOOK_SECONDS)
            except PoolTimeout:
                failure, late = self._failure, time.monotonic() >= until
                if failure and (late or not self._pool.get_stats()["pool_size"]):
                    raise type(failure)(str(failure)) from None
                if late:
                    raise PoolTimeout(f"all {MOST} connections are in use") from None

    def _note(self, failure: psycopg.Error | None) -> None:
        self._failure = failure


def _options(url: str) -> dict[str, Any]:
    """How to connect. Of several servers, the one is right that takes changes, unless the URL says which."""
    hosts = url.count(",") + 1
    wanted = {} if "target_session_attrs" in url else {"target_session_attrs": "read-write"}
    return {**OPTIONS, **wanted, "connect_timeout": max(LEAST_CONNECT_SECONDS, CONNECT_SECONDS // hosts)}


def _lives(connection: Connection) -> bool:
    """Whether an idle connection is of use. Only one that has heard something asks its server."""
    heard = select.poll()
    heard.register(connection.fileno(), select.POLLIN)
    if heard.poll(0):
        try:
            ConnectionPool.check_connection(connection)
        except psycopg.Error:
            return False
    return True


def _is_lost(connection: Connection, error: psycopg.Error) -> bool:
    """Whether the server has hung up, is about to, or is no longer the one that takes changes."""
    fatal = error.diag.severity_nonlocalized in ("FATAL", "PANIC")
    return connection.closed or fatal or isinstance(error, psycopg.errors.ReadOnlySqlTransaction)


def _heed_pooler(connection: Connection) -> None:
    """Prepare no statements if a pooler answers: it tells a client another number than the server's own."""
    served_by = connection.execute("SELECT pg_backend_pid()").fetchone()
    if served_by != (connection.info.backend_pid,):
        connection.prepare_threshold = None


def _noting(note: Callable[[psycopg.Error | None], None]) -> type[Connection]:
    """A connection whose class tells how each attempt to connect ended."""

    class Noting(psycopg.Connection[Row]):
        @classmethod
        def connect(cls, conninfo: str = "", **options: Any) -> Any:
            try:
                made = super().connect(conninfo, **options)
            except psycopg.Error as error:
                note(error)
                raise
            note(None)
            return made

    return Noting

"""Speaks ClickHouse's HTTP interface: one request a statement, to one of several servers.

It is a client of our own: clickhouse-connect does not speak to servers as old as Debian's, and all that is
needed is a POST and rows of text.
"""

from __future__ import annotations

import http.client
import random
import re
import time
from base64 import b64encode
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol
from urllib.parse import urlencode

from collector.store.clickhouse.address import Address
from collector.store.clickhouse.text import NotStorableError, Row, filled, read_rows, write_rows
from collector.store.errors import StoreError, StoreUnavailable

CONNECT_SECONDS, ANSWER_SECONDS, INSERT_SECONDS = 3.0, 60.0, 15.0
# So long a statement is sent again whose outcome is unknown: to the next server, and after a pause.
UNCERTAIN_SECONDS, FIRST_PAUSE, LONGEST_PAUSE = 5.0, 0.01, 0.5
# The whole answer is made before its first byte: an error then never looks like an answer.
_SETTINGS = {"wait_end_of_query": "1", "max_query_size": str(16 << 20)}
# Errors that stay however often the statement is sent: syntax, types, names, access.
_LASTING = frozenset({6, 27, 36, 43, 46, 47, 53, 60, 62, 81, 115, 170, 192, 193, 194, 288, 497, 516})
# Errors of a server that has done nothing, and will not soon: too few replicas or no ZooKeeper.
_REFUSED = frozenset({225, 242, 285})
_CODE = re.compile(r"Code: ([0-9]+)")
_LONGEST_MESSAGE = 300

Settings = Mapping[str, str]
_NONE: Settings = {}
_Connection = http.client.HTTPConnection


class Named(Protocol):
    """A table, and its columns as SQL."""

    @property
    def name(self) -> str: ...

    @property
    def names(self) -> str: ...


class Client:
    """Runs statements on one of the servers, the next one if it fails. Threads share open connections."""

    def __init__(self, address: Address) -> None:
        self.database, self.cluster = address.database, address.cluster
        self._hosts, self.size = address.hosts, len(address.hosts)
        self._at = random.randrange(len(self._hosts))  # noqa: S311 - collectors spread over the servers
        login = b64encode(f"{address.user}:{address.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/octet-stream"}
        self._settings, self._acknowledged = _SETTINGS, dict[str, str]()
        self._idle: deque[tuple[int, _Connection]] = deque()

    def configure(self, settings: Settings, acknowledged: Settings) -> None:
        """Send these settings with each statement from now on, and more with the inserts of events."""
        self._settings, self._acknowledged = {**_SETTINGS, **settings}, dict(acknowledged)

    def rows(self, sql: str, *values: object, database: bool = True) -> list[Row]:
        """Every row of a query, in which `?` stands for a value."""
        return read_rows(self._ask(_query(sql, values), self._path(database=database)))

    def rows_of_each(self, sql: str, *values: object, database: bool = True) -> list[list[Row]]:
        """The rows of every server that answers, each asked alone. StoreUnavailable if none does."""
        found = [
            read_rows(answer) for answer in self._ask_each(_query(sql, values), self._path(database=database))
        ]
        if not found:
            raise StoreUnavailable("ClickHouse does not answer")
        return found

    def run(self, sql: str, *values: object, database: bool = True, settings: Settings = _NONE) -> None:
        """Run a statement that may run twice: an insert of what is there already, or a definition."""
        self._ask(_bytes(filled(sql, values)), self._path(database=database, settings=settings))

    def run_on_each(self, sql: str) -> int:
        """Run a statement on every server that can be reached; how many. StoreError if one of them fails."""
        return len(self._ask_each(_bytes(sql), self._path()))

    def insert(self, table: Named, rows: Iterable[Sequence[object]], *, acknowledged: bool = False) -> None:
        """Insert rows at once. An insert whose outcome is unknown is sent again, to the letter.

        What is acknowledged to a client must be on most of the replicas when this returns.

        StoreError if a value cannot be stored; StoreUnavailable if the rows may be there or not.
        """
        try:
            data = write_rows(rows)
        except (NotStorableError, UnicodeError) as error:
            raise StoreError(f"an event cannot be stored: {error}") from None
        if data:
            statement = f"INSERT INTO {table.name} ({table.names}) FORMAT TabSeparated\n".encode() + data
            path = self._path(settings=self._acknowledged if acknowledged else {})
            self._ask(statement, path, INSERT_SECONDS)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with suppress(IndexError):
            while True:
                self._idle.pop()[1].close()

    def _path(self, *, database: bool = True, settings: Settings = _NONE) -> str:
        own = {"database": self.database} if database else {}
        return f"/?{urlencode({**self._settings, **own, **settings})}"

    def _ask(self, body: bytes, path: str, seconds: float = ANSWER_SECONDS) -> bytes:
        end, pause = time.monotonic() + UNCERTAIN_SECONDS, FIRST_PAUSE
        told = StoreUnavailable("ClickHouse does not answer")
        while True:
            refused = 0
            for _ in self._hosts:
                at = self._at
                try:
                    return self._send(at, path, body, seconds)
                except StoreUnavailable as error:
                    told = error
                    refused += isinstance(error, _Refused)
                self.close()
                self._at = (at + 1) % len(self._hosts)
            if refused == len(self._hosts) or time.monotonic() + pause > end:
                raise told
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _ask_each(self, body: bytes, path: str) -> list[bytes]:
        found = []
        for at in range(len(self._hosts)):
            with suppress(_Away):
                try:
                    found.append(self._send(at, path, body, ANSWER_SECONDS))
                except StoreUnavailable:  # perhaps the connection was too old
                    self.close()
                    found.append(self._send(at, path, body, ANSWER_SECONDS))
        return found

    def _send(self, at: int, path: str, body: bytes, seconds: float) -> bytes:
        connection = self._connection(at)
        try:
            connection.sock.settimeout(seconds)
            connection.request("POST", path, body, self._headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _unanswered(error) from None
        except BaseException:
            connection.close()
            raise
        self._idle.append((at, connection))
        if answer.status != http.client.OK:
            raise _error_of(text)
        return text

    def _connection(self, at: int) -> _Connection:
        with suppress(IndexError):
            there, connection = self._idle.pop()
            if there == at and connection.sock is not None:
                return connection
            connection.close()
        made = _Connection(*self._hosts[at], timeout=CONNECT_SECONDS)
        try:
            made.connect()
        except OSError as error:
            raise _Away(str(_unanswered(error))) from None
        return made


class _Refused(StoreUnavailable):
    """A server has done nothing of a statement."""


class _Away(_Refused):
    """There is no connection to a server."""


def _query(sql: str, values: Sequence[object]) -> bytes:
    return _bytes(f"{filled(sql, values)} FORMAT TabSeparatedWithNamesAndTypes")


def _bytes(statement: str) -> bytes:
    return statement.encode("utf-8", "surrogatepass")


def _unanswered(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"ClickHouse does not answer: {str(error) or type(error).__name__}")


def _error_of(answer: bytes) -> StoreError:
    text = " ".join(answer.decode("utf-8", "replace").split())[:_LONGEST_MESSAGE]
    code = _CODE.search(text)
    number = int(code[1]) if code else 0
    kind = StoreError if number in _LASTING else _Refused if number in _REFUSED else StoreUnavailable
    return kind(f"ClickHouse says: {text}")

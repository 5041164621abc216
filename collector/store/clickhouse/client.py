"""Speaks ClickHouse's HTTP interface: one request a statement.

It is a client of our own: clickhouse-connect does not speak to servers as old as Debian's, and all that is
needed is a POST and rows of text.
"""

from __future__ import annotations

import http.client
import re
from base64 import b64encode
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote, urlencode, urlsplit

from collector.store.clickhouse.text import NotStorableError, Row, filled, read_rows, write_rows
from collector.store.errors import StoreError, StoreUnavailable

DEFAULT_PORT = 8123
CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 60.0
# How often a statement is sent whose outcome is unknown. Each may run twice.
TRIES = 3
# The whole answer is made before its first byte: an error then never looks like an answer.
_SETTINGS = {"wait_end_of_query": "1", "max_query_size": str(16 << 20)}
# Errors that stay however often the statement is sent: syntax, types, names, access.
_LASTING = frozenset({6, 27, 36, 43, 46, 47, 53, 60, 62, 81, 115, 192, 193, 194, 497, 516})
_CODE = re.compile(r"Code: ([0-9]+)")
_LONGEST_MESSAGE = 300

_Connection = http.client.HTTPConnection


@dataclass(frozen=True)
class Address:
    """What a URL `clickhouse://USER@HOST[:PORT]/DATABASE` says."""

    host: str
    port: int
    database: str
    user: str = "default"
    password: str = field(default="", repr=False)


def read_address(url: str, password: str = "") -> Address:
    """The parts of a URL; the password from elsewhere counts more than one in the URL."""
    parts = urlsplit(url)
    database = unquote(parts.path.strip("/"))
    if (
        parts.scheme != "clickhouse"
        or not parts.hostname
        or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", database)
    ):
        raise StoreError("the URL of the events must be clickhouse://USER@HOST/DATABASE")
    user, own = unquote(parts.username or "default"), unquote(parts.password or "")
    return Address(parts.hostname, parts.port or DEFAULT_PORT, database, user, password or own)


class Named(Protocol):
    """A table, and its columns as SQL."""

    @property
    def name(self) -> str: ...

    @property
    def names(self) -> str: ...


class Client:
    """Runs statements on a server. Threads share the connections that are open."""

    def __init__(self, address: Address) -> None:
        self._address = address
        login = b64encode(f"{address.user}:{address.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/octet-stream"}
        self._idle: deque[_Connection] = deque()

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Every row of a query, in which `?` stands for a value."""
        return read_rows(self._ask(f"{filled(sql, values)} FORMAT TabSeparatedWithNamesAndTypes"))

    def run(self, sql: str, *values: object, database: bool = True) -> None:
        """Run a statement that may run twice: an insert of what is there already, or a definition."""
        self._ask(filled(sql, values), database=database)

    def insert(self, table: Named, rows: Iterable[Sequence[object]]) -> None:
        """Insert rows at once. An insert whose outcome is unknown is sent again, to the letter.

        StoreError if a value cannot be stored; StoreUnavailable if the rows may be there or not.
        """
        try:
            data = write_rows(rows)
        except (NotStorableError, UnicodeError) as error:
            raise StoreError(f"an event cannot be stored: {error}") from None
        if data:
            self._ask(f"INSERT INTO {table.name} ({table.names}) FORMAT TabSeparated\n".encode() + data)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _ask(self, statement: str | bytes, *, database: bool = True) -> bytes:
        body = statement if isinstance(statement, bytes) else statement.encode("utf-8", "surrogatepass")
        settings = {**_SETTINGS, "database": self._address.database} if database else _SETTINGS
        path = f"/?{urlencode(settings)}"
        told = StoreUnavailable("ClickHouse does not answer")
        for _ in range(TRIES):
            try:
                return self._send(path, body)
            except StoreUnavailable as error:
                told = error
            except (OSError, http.client.HTTPException) as error:
                told = StoreUnavailable(f"ClickHouse does not answer: {str(error) or type(error).__name__}")
            self.close()
        raise told

    def _send(self, path: str, body: bytes) -> bytes:
        connection = self._connection()
        try:
            connection.request("POST", path, body, self._headers)
            answer = connection.getresponse()
            text = answer.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        if answer.status != http.client.OK:
            raise _error_of(text)
        return text

    def _connection(self) -> _Connection:
        with suppress(IndexError):
            return self._idle.pop()
        made = _Connection(self._address.host, self._address.port, timeout=CONNECT_SECONDS)
        made.connect()
        made.sock.settimeout(ANSWER_SECONDS)
        return made


def _error_of(answer: bytes) -> StoreError:
    text = " ".join(answer.decode("utf-8", "replace").split())[:_LONGEST_MESSAGE]
    code = _CODE.search(text)
    lasting = code is not None and int(code[1]) in _LASTING
    return StoreError(f"ClickHouse says: {text}") if lasting else StoreUnavailable(f"ClickHouse says: {text}")

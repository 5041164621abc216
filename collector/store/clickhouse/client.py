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

from collector.base.background import in_background
from collector.store.clickhouse.address import Address
from collector.store.clickhouse.frozen import FrozenServers, NoSignOfLifeError, pings, wait_for_answer
from collector.store.clickhouse.text import NotStorableError, Row, filled, read_rows, write_rows
from collector.store.errors import StoreError, StoreUnavailable

CONNECT_SECONDS, ANSWER_SECONDS, INSERT_SECONDS = 3.0, 60.0, 15.0
# A server that is asked alone counts as away after this time. A question that a sender waits for goes to the
# next server then; the last one has the whole time, so that servers which are all slow still answer.
SOON_SECONDS = 5.0
# So long a deletion by age or of a key may take over one statement: some read all events, and nobody waits.
PATIENT_SECONDS = 600.0
# So long a statement is sent again whose outcome is unknown: to the next server, and after a pause.
UNCERTAIN_SECONDS, FIRST_PAUSE, LONGEST_PAUSE = 5.0, 0.01, 0.5
# The whole answer is made before its first byte: an error then never looks like an answer.
# A longer sort goes through files: a stranger may have sent any number of events of one instance.
_SETTINGS = {
    "wait_end_of_query": "1",
    "max_query_size": str(16 << 20),
    "max_bytes_before_external_sort": str(256 << 20),
}
# What somebody waits for is answered before what is counted in the background.
_FIRST, _LATER = {"priority": "1"}, {"priority": "2"}
# What changes tables may take a server of another shard so many seconds.
_LONG = {"receive_timeout": "300"}
# Replicas leave out a block that they had before, even if its rows were deleted since. What an expiry sums up
# is deleted and written again if it was interrupted. (Events have numbers of their own: no block is alike.)
_AGAIN = {"insert_deduplicate": "0"}
# Errors that stay however often the statement is sent: syntax, types, names.
_LASTING = frozenset({6, 27, 36, 43, 46, 47, 53, 62, 115, 288})
# So do these, unless another server has what this one lacks: a table, database, cluster, user or right.
_LACKING = frozenset({60, 81, 170, 192, 193, 194, 497, 516})
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
    """Runs statements on one of the servers, the next one if it fails. Threads share open connections.

    A server that does not answer a question within `seconds` has failed, if there is another one; and so has
    one that is frozen. Clients that share `frozen` learn that from each other. The last server that is left,
    and a statement that changes something, have the `longest` time.
    """

    def __init__(
        self,
        address: Address,
        seconds: float = ANSWER_SECONDS,
        frozen: FrozenServers | None = None,
        longest: float = ANSWER_SECONDS,
    ) -> None:
        self._seconds, self._longest, self._frozen = seconds, longest, frozen or FrozenServers()
        self.database, self.cluster = address.database, address.cluster
        self._hosts, self.size = address.hosts, len(address.hosts)
        self._at = random.randrange(len(self._hosts))  # noqa: S311 - collectors spread over the servers
        login = b64encode(f"{address.user}:{address.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/octet-stream"}
        self._settings, self._acknowledged, self._again = _SETTINGS, dict[str, str](), _AGAIN
        self._idle: deque[tuple[int, _Connection]] = deque()

    def configure(self, settings: Settings, acknowledged: Settings, again: Settings = _NONE) -> None:
        """Send these settings with each statement from now on, and more with the inserts of events.

        And more yet, `again`, with inserts of what may have been there before.
        """
        self._settings, self._acknowledged = {**_SETTINGS, **settings}, dict(acknowledged)
        self._again = {**_AGAIN, **again}

    @property
    def waits_for_replicas(self) -> bool:
        """Whether an insert of events waits until several servers have it."""
        return bool(self._acknowledged)

    def rows(self, sql: str, *values: object, database: bool = True) -> list[Row]:
        """Every row of a query, in which `?` stands for a value."""
        path = self._path(database=database, settings=_LATER if in_background() else _FIRST)
        return read_rows(self._ask(_query(sql, values), path, self._seconds, self._longest))

    def rows_of_each(self, sql: str, *values: object, database: bool = True) -> list[list[Row]]:
        """The rows of every server that answers soon, each asked alone. StoreUnavailable if none does."""
        answers = self._ask_each(_query(sql, values), self._path(database=database), SOON_SECONDS)
        if not answers:
            raise StoreUnavailable("ClickHouse does not answer")
        return list(map(read_rows, answers))

    def run(self, sql: str, *values: object, database: bool = True, settings: Settings = _NONE) -> None:
        """Run a statement that may run twice: an insert of what is there already, or a definition."""
        path = self._path(database=database, settings={**_LONG, **self._again, **settings})
        self._ask(_bytes(filled(sql, values)), path, self._longest, self._longest)

    def run_on_each(self, sql: str) -> int:
        """Run a statement on every server that answers in time; how many. StoreError if one of them fails."""
        return len(self._ask_each(_bytes(sql), self._path(), ANSWER_SECONDS))

    def insert(
        self,
        table: Named,
        rows: Iterable[Sequence[object]],
        *,
        acknowledged: bool = False,
        as_before: bool = False,
    ) -> None:
        """Insert rows at once. An insert whose outcome is unknown is sent again, to the letter.

        What is acknowledged to a client must be on most of the replicas when this returns. `as_before`: the
        rows may equal others that were inserted before and deleted since, and no replica may leave them out.

        StoreError if a value cannot be stored; StoreUnavailable if the rows may be there or not.
        """
        try:
            data = write_rows(rows)
        except (NotStorableError, UnicodeError) as error:
            raise StoreError(f"an event cannot be stored: {error}") from None
        if data:
            statement = f"INSERT INTO {table.name} ({table.names}) FORMAT TabSeparated\n".encode() + data
            again = self._again if as_before or not acknowledged else _NONE
            path = self._path(settings={**again, **(self._acknowledged if acknowledged else _NONE)})
            self._ask(statement, path, INSERT_SECONDS, INSERT_SECONDS)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with suppress(IndexError):
            while True:
                self._idle.pop()[1].close()

    def _path(self, *, database: bool = True, settings: Settings = _NONE) -> str:
        own = {"database": self.database} if database else {}
        return f"/?{urlencode({**self._settings, **own, **settings})}"

    def _ask(self, body: bytes, path: str, first: float, last: float) -> bytes:
        """The answer of a server. Each has the `first` seconds, and the last one the `last`.

        Of each but the last, signs of life are asked for meanwhile.
        """
        end, pause = time.monotonic() + UNCERTAIN_SECONDS, FIRST_PAUSE
        told = StoreUnavailable("ClickHouse does not answer")
        while True:
            refused = lacking = 0
            order = self._order()
            for at in order:
                is_last = at == order[-1]
                try:
                    return self._send(at, path, body, last if is_last else first, looks=not is_last)
                except _LackingError as error:
                    lacking += 1
                    if lacking == self.size:
                        raise
                    told = StoreUnavailable(str(error))  # one that was not asked may have it
                except StoreUnavailable as error:
                    told = error
                    refused += isinstance(error, _Refused)
                self.close()
                self._at = (at + 1) % self.size
            if refused + lacking == len(order) or time.monotonic() + pause > end:
                raise told
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _order(self) -> list[int]:
        """The servers as they are asked, without those that were frozen lately, unless all were."""
        order = [(self._at + number) % self.size for number in range(self.size)]
        return [at for at in order if not self._frozen.is_remembered(self._hosts[at])] or order

    def _ask_each(self, body: bytes, path: str, seconds: float) -> list[bytes]:
        found, looks = [], self.size > 1
        for at, host in enumerate(self._hosts):
            if self._frozen.is_remembered(host) and not pings(host):
                continue
            with suppress(_Away, _Silent):
                try:
                    found.append(self._send(at, path, body, seconds, looks=looks))
                except (_Away, _Silent):
                    raise
                except StoreUnavailable:  # perhaps the connection was too old
                    self.close()
                    found.append(self._send(at, path, body, seconds, looks=looks))
        return found

    def _send(self, at: int, path: str, body: bytes, seconds: float, *, looks: bool) -> bytes:
        connection = self._connection(at)
        try:
            connection.sock.settimeout(seconds)
            connection.request("POST", path, body, self._headers)
            wait_for_answer(connection.sock, self._hosts[at], seconds, looks=looks)
            answer = connection.getresponse()
            text = answer.read()
        except NoSignOfLifeError:
            connection.close()
            self._frozen.note(self._hosts[at])
            raise _Silent("ClickHouse does not answer: it gives no sign of life") from None
        except TimeoutError:
            connection.close()
            raise _Silent(f"ClickHouse does not answer within {seconds:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _unanswered(error) from None
        except BaseException:
            connection.close()
            raise
        self._frozen.clear(self._hosts[at])
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
        except TimeoutError as error:
            self._frozen.note(self._hosts[at])
            raise _Away(str(_unanswered(error))) from None
        except OSError as error:
            raise _Away(str(_unanswered(error))) from None
        return made


class _Refused(StoreUnavailable):
    """A server has done nothing of a statement."""


class _Away(_Refused):
    """There is no connection to a server."""


class _Silent(StoreUnavailable):
    """A server has not answered in time."""


class _LackingError(StoreError):
    """A server does not have what a statement needs; another one may."""


def _query(sql: str, values: Sequence[object]) -> bytes:
    return _bytes(f"{filled(sql, values)} FORMAT TabSeparatedWithNamesAndTypes")


def _bytes(statement: str) -> bytes:
    return statement.encode("utf-8", "surrogatepass")


def _unanswered(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"ClickHouse does not answer: {_shown(str(error)) or type(error).__name__}")


def _error_of(answer: bytes) -> StoreError:
    text = _shown(answer.decode("utf-8", "replace"))
    code = _CODE.search(text)
    return _kind_of(int(code[1]) if code else 0)(f"ClickHouse says: {text}")


def _kind_of(code: int) -> type[StoreError]:
    if code in _LASTING:
        return StoreError
    if code in _LACKING:
        return _LackingError
    return _Refused if code in _REFUSED else StoreUnavailable


def _shown(text: str) -> str:
    """A stranger's text as one line that a terminal shows and does not obey."""
    return "".join(filter(str.isprintable, " ".join(text.split())))[:_LONGEST_MESSAGE]

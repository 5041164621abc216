"""Transactions and SQL, in two dialects: what both databases have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from collector.store import schema
from collector.store.dialect import Dialect
from collector.store.values import Space

Row = tuple[Any, ...]
Key = tuple[int, bytes]  # source and id


class Transaction(ABC):
    """One transaction: all of it or nothing. In SQL, `?` stands for a value, in both dialects."""

    dialect: Dialect

    @abstractmethod
    def execute(self, sql: str, *values: Any) -> int:
        """Run a statement; the number of rows it changed."""

    @abstractmethod
    def all(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query."""

    @abstractmethod
    def known(self, table: schema.Table, keys: Sequence[Key]) -> set[Key]:
        """Those of the keys, which begin with source and id, that are in a table."""

    @abstractmethod
    def insert_new(
        self, table: schema.Table, rows: Sequence[Row], beside: schema.Table | None = None
    ) -> set[Key]:
        """Insert rows that begin with distinct keys; returns the keys that were not there yet.

        Those that are in a table beside it are not inserted either.
        """

    @abstractmethod
    def upsert(self, table: schema.Table, rows: Sequence[Row]) -> None:
        """Write rows with distinct keys; the table says what happens to existing rows."""

    @abstractmethod
    def fetch(self, table: schema.Table, keys: Sequence[Key]) -> list[Row]:
        """The rows of a table by source and id, locked against other writers."""

    @abstractmethod
    def wait_for_writers(self) -> None:
        """Wait until every event that has a number is stored or given up; others wait meanwhile."""

    @abstractmethod
    def wait_to_count(self) -> None:
        """Wait until no other transaction counts events, and keep others from it."""

    @abstractmethod
    def may_count(self) -> bool:
        """The same without a wait: False if another transaction counts."""

    @abstractmethod
    def wait_for_keeps(self) -> None:
        """Wait until every event is stored or given up, with what it waits to be counted in; others wait.

        Comes after `wait_to_count`, and after `wait_for_writers`.
        """

    @abstractmethod
    def wait_for_marks(self) -> None:
        """Wait until nobody is at work who has read what has expired; others wait meanwhile.

        Comes before the other waits.
        """

    @abstractmethod
    def ask(self, *queries: tuple[Any, ...]) -> list[list[Row]]:
        """Every row of each of these queries, SQL and values, which a server answers all at once."""

    @abstractmethod
    def send(self, sql: str, *values: Any) -> None:
        """Run a statement; if it fails, that may show later in the transaction."""

    @abstractmethod
    def wait_for_turn(self, source: int) -> None:
        """Wait until no other transaction that has this source's turn is open, and take it."""


class Database(ABC):
    """A database; opening it brings its schema up to date."""

    dialect: Dialect

    @abstractmethod
    def transaction(self, *, lasting: bool = True) -> AbstractContextManager[Transaction]:
        """A write transaction, on this thread's connection; StoreUnavailable where there is none.

        The commit of one that need not last waits for no disk and no standby. A power cut may undo all of it,
        unless a later one that lasts was committed; the end of a process undoes nothing.
        """

    @abstractmethod
    def rows(self, sql: str, *values: Any) -> Iterator[Row]:
        """The rows of a query one by one, for results of any size, outside any transaction."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Transaction]:
        """A transaction that only reads: what the database had at one moment, however long it takes."""

    @abstractmethod
    def space(self) -> Space:
        """What the database takes now."""

    @abstractmethod
    def tidy(self) -> None:
        """Empty the log of writes, as far as nobody needs it: it takes disk, and has what was deleted."""

    @abstractmethod
    def serve(self) -> None:
        """Claim it for a server. StoreError if another server has it and it cannot be shared."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections and release the claim."""

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query."""
        return list(self.rows(sql, *values))

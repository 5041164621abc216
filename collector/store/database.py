"""The interface of both stores: transactions, and the one way to add events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from collector.base.events import Event
from collector.store import schema
from collector.store.dialect import Dialect
from collector.store.rollups import Ledger
from collector.store.usage import usage_rows
from collector.store.words import admit_words

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Space:
    """Bytes that the database takes, and bytes that it can still take; None if it does not know."""

    used: int
    free: int | None


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
    def insert_new(self, events: Sequence[Event]) -> list[Event]:
        """Insert events with distinct keys; returns those that were not stored yet."""

    @abstractmethod
    def upsert(self, table: schema.Table, rows: Sequence[Row]) -> None:
        """Write rows with distinct keys; the table says what happens to existing rows."""

    @abstractmethod
    def fetch(self, table: schema.Table, keys: Sequence[tuple[int, bytes]]) -> list[Row]:
        """The rows of a table by source and id, locked against other writers."""

    @abstractmethod
    def wait_for_writers(self) -> None:
        """Wait until every event that has a number is stored or given up; others wait meanwhile."""

    @abstractmethod
    def wait_for_turn(self, source: int) -> None:
        """Wait until no other transaction that has this source's turn is open, and take it."""


class Store(ABC):
    """A database of events."""

    dialect: Dialect

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Transaction]:
        """A write transaction, on this thread's connection; StoreUnavailable where there is none."""

    @abstractmethod
    def rows(self, sql: str, *values: Any) -> Iterator[Row]:
        """The rows of a query one by one, for results of any size, outside any transaction."""

    @abstractmethod
    def space(self) -> Space:
        """What the database takes now."""

    @abstractmethod
    def tidy(self) -> None:
        """Empty the log of writes, as far as nobody needs it: it takes disk, and has what was deleted."""

    @abstractmethod
    def serve(self) -> None:
        """Claim the store for a server. StoreError if another server has it and it cannot be shared."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections and release the claim."""

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query."""
        return list(self.rows(sql, *values))

    def add(self, events: Iterable[Event]) -> int:
        """Store each event exactly once and count it; returns how many were new.

        When this returns, all of them are on disk. When it raises, none of them is.
        """
        with self.transaction() as tx:
            return add_events(tx, events)


def add_events(tx: Transaction, events: Iterable[Event]) -> int:
    """Insert events, and update the counters for those that were new."""
    # Sorted, so that two collectors on one PostgreSQL lock the same rows in the same order.
    distinct = {(event.source, event.id): event for event in events}
    fresh = tx.insert_new([distinct[key] for key in sorted(distinct)])
    ledger = Ledger()
    telling = [event for event in fresh if event.fact is not None]
    ledger.load_instances(tx.fetch(schema.INSTANCES, sorted({(e.source, e.who) for e in telling if e.who})))
    runs = {(e.source, e.run) for e in telling if e.run}
    ledger.load_runs(tx.fetch(schema.RUNS, sorted(runs)))
    for event in fresh:
        ledger.count(event)
    for table, rows in ledger.changes(admit_words(tx, ledger.words())):
        tx.upsert(table, rows)
    tx.upsert(schema.USAGE, usage_rows(fresh))
    return len(fresh)

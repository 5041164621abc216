"""Two stores: control (small and transactional) and events.

Both are in one SQLite or PostgreSQL database. Or the events are in ClickHouse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from collector.store.control import ControlStore
from collector.store.database import Database
from collector.store.errors import StoreError, StoreUnavailable
from collector.store.events import EventStore
from collector.store.values import Finding

__all__ = [
    "ControlStore",
    "EventStore",
    "StoreError",
    "StoreUnavailable",
    "Stores",
    "check_events",
    "open_database",
    "open_stores",
]


@dataclass(frozen=True)
class Stores:
    """Both stores of a collector."""

    control: ControlStore
    events: EventStore
    left: EventStore | None = None
    """The database's own events, if new ones are kept elsewhere: those from before a move."""

    def ping(self) -> None:
        """StoreError if one of them does not answer."""
        self.control.all("SELECT 1")
        self.events.ping()

    def close(self) -> None:
        """Close all connections and release the claim."""
        self.events.close()
        self.control.close()


def open_stores(url: str, events: str = "", password: str = "", *, make: bool = True) -> Stores:
    """Open both stores in the database at a URL, or the events at a URL of their own, `clickhouse://…`.

    `make` and StoreError as of `open_database`.
    """
    from collector.store.sql.store import SqlEventStore

    database = open_database(url, make=make)
    if events:
        from collector.store.clickhouse.store import ClickHouseEventStore

        try:
            elsewhere = ClickHouseEventStore(events, password)
        except StoreError:
            database.close()
            raise
        return Stores(ControlStore(database), elsewhere, SqlEventStore(database))
    return Stores(ControlStore(database), SqlEventStore(database))


def check_events(url: str, password: str = "") -> Iterator[Finding]:
    """Try the servers at `clickhouse://…` in a scratch database. StoreError if that cannot be done."""
    from collector.store.clickhouse.check import check_clickhouse

    return check_clickhouse(url, password)


def open_database(url: str, *, make: bool = True) -> Database:
    """Open the database at `sqlite:///PATH` or `postgresql://…` and update its schema.

    If there is none, `make` says whether to make it. Raises StoreError if the URL or the database is wrong.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        from collector.store.sqlite import SQLiteDatabase

        path = unquote(url.removeprefix("sqlite://").removeprefix("/"))
        return SQLiteDatabase(path, make=make)
    if scheme in ("postgresql", "postgres"):
        from collector.store.postgres import PostgresDatabase

        return PostgresDatabase(url, make=make)
    raise StoreError(
        f"the database URL must start with sqlite:/// or postgresql://, not {scheme or repr(url)}"
    )

"""Where events live: SQLite by default, PostgreSQL by URL, one schema and one set of tests for both."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from collector.store.base import Store, StoreError, StoreUnavailable

__all__ = ["Store", "StoreError", "StoreUnavailable", "open_store"]


def open_store(url: str) -> Store:
    """The store at `sqlite:///PATH` or `postgresql://…`, with its schema brought up to date.

    StoreError says what is wrong with the URL, or with what is there.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        from collector.store.sqlite import SQLiteStore

        path = unquote(url.removeprefix("sqlite://").removeprefix("/"))
        return SQLiteStore(path)
    if scheme in ("postgresql", "postgres"):
        from collector.store.postgres import PostgresStore

        return PostgresStore(url)
    msg = f"a database is sqlite:///PATH or postgresql://…, not {scheme or 'that'}"
    raise StoreError(msg)

"""Storage in SQLite (the default) or PostgreSQL, with one schema and one set of tests for both."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from collector.store.database import Store
from collector.store.errors import StoreError, StoreUnavailable

__all__ = ["Store", "StoreError", "StoreUnavailable", "open_store"]


def open_store(url: str) -> Store:
    """Open the store at `sqlite:///PATH` or `postgresql://…` and update its schema.

    Raises StoreError if the URL or the database is wrong.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        from collector.store.sqlite import SQLiteStore

        path = unquote(url.removeprefix("sqlite://").removeprefix("/"))
        return SQLiteStore(path)
    if scheme in ("postgresql", "postgres"):
        from collector.store.postgres import PostgresStore

        return PostgresStore(url)
    raise StoreError(
        f"the database URL must start with sqlite:/// or postgresql://, not {scheme or repr(url)}"
    )

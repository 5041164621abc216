"""The control store: what is small and transactional, in SQLite or PostgreSQL.

Sources, write keys and their limits, users, sessions, tokens, the setup link, the audit log, rejects, release
feeds, and answers to requests for help. The module that owns a table writes the SQL for it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from collector.store.database import Database, Row, Transaction


class ControlStore:
    """Runs SQL on the tables of the control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[Transaction]:
        """A write transaction, on this thread's connection; StoreUnavailable if it cannot begin."""
        return self._database.transaction()

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query."""
        return self._database.all(sql, *values)

    def tidy(self) -> None:
        """Empty the log of writes, as far as nobody needs it: it has what was deleted."""
        self._database.tidy()

    def serve(self) -> None:
        """Claim the store for a server. StoreError if another server has it and it cannot be shared."""
        self._database.serve()

    def close(self) -> None:
        """Close all connections and release the claim."""
        self._database.close()

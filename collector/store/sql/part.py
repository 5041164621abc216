"""What the parts of the SQL event store have in common."""

from __future__ import annotations

from typing import Any

from collector.store.database import Database, Row


class SqlPart:
    """The questions of one subject, asked of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def _all(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query."""
        return self._database.all(sql, *values)

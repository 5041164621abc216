"""What a migration is given: one transaction, in one of two dialects of SQL."""

from __future__ import annotations

from typing import Any, Literal, Protocol

Dialect = Literal["sqlite", "postgresql"]


class Executes(Protocol):
    """Anything that runs one statement inside the migration's transaction."""

    dialect: Dialect

    def execute(self, sql: str, *values: Any) -> Any:
        """Run a statement with `?` for its values."""

    def all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Every row of a query."""

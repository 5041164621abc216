"""What the parts of the SQL event store have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from collector.store.database import Database, Row
from collector.store.scope import EnvironmentScope
from collector.store.sql.folding import fold_little
from collector.store.sql.shapes import Shapes


class SqlPart(EnvironmentScope):
    """The questions of one subject, asked of a database."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._shapes = Shapes(database, clock)

    def _all(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query."""
        return self._database.all(sql, *values)

    def _counted(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query of counters, instances or runs. A few events that wait are counted first."""
        fold_little(self._database)
        return self._database.all(sql, *values)

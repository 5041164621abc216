"""What the events of a fleet say, asked in SQL of a plain table: no counter, no store of ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from collector.base.environments import ENVIRONMENTS
from collector.base.events import BEAT, Event, Fact
from collector.base.times import DAY_MS

_TABLES = """
CREATE TABLE told (id BLOB PRIMARY KEY, who BLOB, run BLOB, at INT, name TEXT, version TEXT, system TEXT,
    script TEXT, line TEXT, command TEXT, end TEXT, env TEXT, telling INT);
CREATE INDEX by_run ON told (run, name);
CREATE INDEX by_who ON told (who, name, at);
CREATE VIEW instances AS
    SELECT who, min(at) AS first, max(at) AS last, max(CASE WHEN name = 'Instance Active' THEN at END) AS beat
    FROM told WHERE telling GROUP BY who;
CREATE VIEW installs AS SELECT max(t.who) AS who, t.run, min(t.at) AS began, max(t.version) AS version,
    max(t.system) AS system, max(t.env) AS env,
    max(t.name = 'Installation Errors') AS failed, max(t.name = 'Installation Success') AS done,
    max(t.name = 'Installation Support') AS asked, max(e.script) AS script, max(e.line) AS line,
    max(e.command) AS command, max(e.end) AS end
    FROM told t LEFT JOIN told e ON e.run = t.run AND e.name = 'Installation Errors'
    WHERE t.run IS NOT NULL GROUP BY t.run;
CREATE VIEW fleet AS SELECT i.*, i.last - i.first > 86400000 AS lasting, last_told.env, last_told.version,
    last_told.system FROM instances i LEFT JOIN (SELECT who, env, version, system, max(at) FROM told
    WHERE run IS NOT NULL GROUP BY who) last_told ON last_told.who = i.who;
CREATE VIEW days AS SELECT DISTINCT who, at / 86400000 AS day FROM told WHERE name = 'Instance Active';
"""


class Told:
    """The table, and the questions."""

    def __init__(self, now: int) -> None:
        self.now, self.database = now, sqlite3.connect(":memory:")
        self.database.executescript(_TABLES)

    def add(self, events: Iterable[Event]) -> None:
        """Add events; one that is there already changes nothing."""
        marks = ", ".join("?" * 13)
        self.database.executemany(f"INSERT OR IGNORE INTO told VALUES ({marks})", map(_row, events))

    def ask(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query; `:now` and `:day` are there."""
        return self.database.execute(sql, {"now": self.now, "day": DAY_MS, **values}).fetchall()

    def one(self, sql: str, **values: Any) -> Sequence[Any]:
        """The only row."""
        (row,) = self.ask(sql, **values)
        return row


def _row(event: Event) -> tuple[Any, ...]:
    fact = event.fact or Fact()
    end = "" if event.name == BEAT else fact.signal or fact.exit_code or fact.reason
    system = f"{fact.os} {fact.os_version}".strip()
    place = (fact.script, None if fact.line is None else str(fact.line), fact.command, end and str(end))
    known = (event.id, event.who, event.run, event.time, event.name, fact.version, system)
    return (*known, *place, ENVIRONMENTS[fact.environment], event.fact is not None)

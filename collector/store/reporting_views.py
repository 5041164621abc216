"""A migration: views for other programs that read PostgreSQL, such as BI tools.

Their names and columns are a promise, in docs/collector.md. A migration that changes a table under a view
drops the view first, and makes it anew with the same columns.
"""

from __future__ import annotations

from collector.base.times import DAY_MS
from collector.store.dialect import Executes
from collector.store.rows import ESTABLISHED_MS

_TIME = "to_timestamp({} / 1000.0)".format
_ID = "encode({}, 'hex')::uuid".format
_DAY = "(DATE '1970-01-01' + {}::int)".format
_SOURCE = "s.name AS source"


def _view(name: str, columns: dict[str, str], table: str, where: str = "TRUE") -> str:
    listed = ", ".join(f"{sql} AS {column}" for column, sql in columns.items())
    return (
        f"CREATE OR REPLACE VIEW rollcall_{name} AS SELECT {_SOURCE}, {listed} FROM {table} t"
        f" JOIN sources s ON s.id = t.source WHERE {where}"
    )


INSTANCES = {
    "instance": _ID("t.id"),
    "first_seen": _TIME("t.first_seen"),
    "last_seen": _TIME("t.last_seen"),
    "last_heartbeat": _TIME("t.last_beat"),
    "heartbeats": "t.beats",
    "established": f"t.last_seen - t.first_seen > {ESTABLISHED_MS}",
    "version": "t.version",
    "os": "t.os",
    "os_version": "t.os_version",
}
INSTALLS = {
    "install": _ID("t.id"),
    "instance": _ID("t.instance"),
    "began": _TIME("t.began"),
    "ended": _TIME("t.ended"),
    "outcome": "CASE WHEN t.outcome = 'success' THEN 'succeeded' WHEN t.outcome = 'errors' THEN 'failed'"
    f" WHEN t.began > extract(epoch FROM now()) * 1000 - {DAY_MS} THEN 'running' ELSE 'given up' END",
    "seconds": "t.duration / 1000.0",
    "version": "t.version",
    "os": "t.os",
    "os_version": "t.os_version",
    "reason": "t.reason",
    "exit_code": "t.exit_code",
    "signal": "t.signal",
    "script": "t.script",
    "line": "t.line",
    "command": "t.command",
    "asked_for_help": _TIME("t.asked"),
    "answered": f"(SELECT {_TIME('a.at')} FROM answered a WHERE a.source = t.source AND a.run = t.id)",
}
ACTIVE = {
    "day": _DAY("t.day"),
    "days": "t.span",
    "established": "t.established = 1",
    "instances": "(SUM(t.n) OVER (PARTITION BY t.source, t.span, t.established ORDER BY t.day))::bigint",
}
INSTALLS_BY_DAY = {
    "day": _DAY("t.day"),
    "version": "t.word",
    "outcome": "CASE t.outcome WHEN 'success' THEN 'succeeded' WHEN 'errors' THEN 'failed' ELSE 'open' END",
    "installs": "t.n",
}
EVENTS_BY_DAY = {"day": _DAY("t.day"), "event": "t.name", "type": "t.type", "events": "t.n"}


def reading_views(tx: Executes) -> None:
    """The views, in PostgreSQL. No view has an e-mail address, or the JSON of an event."""
    if tx.dialect != "postgresql":
        return
    tx.execute(_view("instances", INSTANCES, "instances"))
    tx.execute(_view("installs", INSTALLS, "runs"))
    tx.execute(_view("active_by_day", ACTIVE, "active"))
    tx.execute(_view("installs_by_day", INSTALLS_BY_DAY, "outcomes", "t.kind = 'version' AND t.n > 0"))
    tx.execute(_view("events_by_day", EVENTS_BY_DAY, "daily", "t.n > 0"))


def views_of_production(tx: Executes) -> None:
    """The same views, and the same rights to them; they leave out what is not production."""
    if tx.dialect != "postgresql":
        return
    tx.execute(_view("instances", INSTANCES, "instances", "t.environment = 0"))
    tx.execute(_view("installs", INSTALLS, "runs", "t.environment = 0"))
    tx.execute(_view("active_by_day", ACTIVE, "active", "t.established IN (0, 1)"))

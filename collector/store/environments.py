"""A migration: what instances and runs are for. Those of before count as production."""

from __future__ import annotations

from collector.store import reporting_views
from collector.store.dialect import Executes

# Behind an id, a small number takes no space in PostgreSQL: what comes next begins at a multiple of 8 bytes.
_LISTED = "source, last_seen, id, environment, first_seen, last_beat"
_INSTANCES = {
    "instances_by_seen": "",
    "instances_never": " WHERE last_beat IS NULL",
    "instances_brief": " WHERE last_seen - first_seen <= 86400000",
    "instances_seen_since": " WHERE last_seen > last_beat",
}
_FAILED = " WHERE outcome = 'errors'"
_RUNS = {
    "runs_open": ("source, began, version, os, os_version, environment", " WHERE outcome IS NULL"),
    "runs_failed": ("source, began, place, version, os, os_version, instance, environment", _FAILED),
    "runs_by_place": ("source, place, began, ended, instance, environment", _FAILED),
}


def environments(tx: Executes) -> None:
    """Environments of instances and runs, in the indexes that lists and counts are read from, too."""
    small, integer = ("INTEGER", "INTEGER") if tx.dialect == "sqlite" else ("SMALLINT", "BIGINT")
    tx.execute(f"ALTER TABLE runs ADD COLUMN environment {small} NOT NULL DEFAULT 0")
    tx.execute(f"ALTER TABLE instances ADD COLUMN environment {small} NOT NULL DEFAULT 0")
    tx.execute(f"ALTER TABLE instances ADD COLUMN environment_at {integer}")
    for index, part in _INSTANCES.items():
        tx.execute(f"DROP INDEX {index}")
        tx.execute(f"CREATE INDEX {index} ON instances ({_LISTED}){part}")
    for index, (columns, part) in _RUNS.items():
        tx.execute(f"DROP INDEX {index}")
        tx.execute(f"CREATE INDEX {index} ON runs ({columns}){part}")
    reporting_views.views_of_production(tx)

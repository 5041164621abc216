"""A migration: the tables of alerts."""

from __future__ import annotations

from collector.store.dialect import Executes


def alert_tables(tx: Executes) -> None:
    """Troubles, the messages about them, and the limits of each source."""
    number = "INTEGER PRIMARY KEY"
    if tx.dialect == "postgresql":
        number = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    tx.execute(
        "CREATE TABLE alert_limits (source BIGINT NOT NULL REFERENCES sources (id) ON DELETE CASCADE,"
        " name TEXT NOT NULL, value BIGINT NOT NULL, PRIMARY KEY (source, name))",
    )
    told = "title TEXT NOT NULL, {} TEXT NOT NULL, path TEXT NOT NULL, urgent INTEGER NOT NULL".format
    tx.execute(
        f"CREATE TABLE alerts (id {number}, source BIGINT NOT NULL, kind TEXT NOT NULL,"
        f" subject TEXT NOT NULL, {told('detail')}, began BIGINT NOT NULL, seen BIGINT NOT NULL,"
        " ended BIGINT)",
    )
    tx.execute("CREATE UNIQUE INDEX alerts_open ON alerts (source, kind, subject) WHERE ended IS NULL")
    tx.execute(
        f"CREATE TABLE alert_messages (id {number}, topic TEXT NOT NULL UNIQUE, source BIGINT NOT NULL,"
        f" kind TEXT NOT NULL, {told('body')}, made BIGINT NOT NULL, due BIGINT NOT NULL,"
        " tries BIGINT NOT NULL, done TEXT NOT NULL, settled BIGINT,"
        " state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')))",
    )

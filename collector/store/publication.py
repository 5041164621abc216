"""A migration: the tables of public pages."""

from __future__ import annotations

from collector.store.dialect import Executes


def public_numbers(tx: Executes) -> None:
    """Which sources are public, and the numbers that were published."""
    source = "source BIGINT NOT NULL REFERENCES sources (id) ON DELETE CASCADE"
    tx.execute(f"CREATE TABLE public_sources ({source}, since BIGINT NOT NULL, PRIMARY KEY (source))")
    tx.execute(f"CREATE TABLE public_weeks ({source}, week BIGINT NOT NULL, PRIMARY KEY (source, week))")
    tx.execute(
        f"CREATE TABLE public_cells ({source}, week BIGINT NOT NULL, kind TEXT NOT NULL, word TEXT NOT NULL,"
        " value BIGINT NOT NULL, made_from BIGINT NOT NULL, of_all BIGINT NOT NULL,"
        " PRIMARY KEY (source, week, kind, word))",
    )

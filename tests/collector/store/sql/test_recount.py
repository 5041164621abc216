"""Counters that are wrong, in tables, are made right."""

from __future__ import annotations

import pytest

from collector.base.times import DAY_MS
from collector.store import StoreError, Stores
from collector.store.database import Database
from collector.store.sql import recount
from tests.collector.running import Collector
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import keep_in_pieces, made_history
from tests.collector.store.sql.test_arrival import NOW, beat
from tests.collector.store.test_rollups import counted

COUNTERS = ("daily", "active", "outcomes", "cohorts", "retention")


def spoil(tables: Database) -> None:
    """Each table of counters has a number too many, a number too few, and one that nothing counts in."""
    with tables.transaction() as tx:
        for table in COUNTERS:
            sources = f"(SELECT MIN(source) FROM {table})"
            tx.execute(f"DELETE FROM {table} WHERE source > {sources}")
            tx.execute(f"UPDATE {table} SET n = n + 2")
        tx.execute("INSERT INTO cohorts (source, cohort, established, n) VALUES (9, 2000, 1, 5)")


def test_what_is_wrong_is_corrected(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recount, "AT_ONCE", 3)
    monkeypatch.setattr(recount, "SEARCHED", 7)
    history = made_history(0)
    keep_in_pieces(stores.events, history)
    right = counted(tables)
    spoil(tables)
    assert counted(tables) != right
    assert stores.events.recount(lambda _: None) > 20
    assert counted(tables) == right
    assert told_by(stores.events) == said_by(history)
    assert stores.events.recount(lambda _: None) == 0


def test_of_two_recounts_at_once_one_corrects(stores: Stores, tables: Database) -> None:
    keep_in_pieces(stores.events, made_history(0))
    right = counted(tables)
    spoil(tables)
    others = iter([stores.events.recount])

    def meanwhile(_: int) -> None:
        for other in others:
            assert other(lambda _: None) > 20

    with pytest.raises(StoreError, match="another recount has corrected counters meanwhile"):
        stores.events.recount(meanwhile)
    assert counted(tables) == right
    assert stores.events.recount(meanwhile) == 0


def test_the_verb_says_how_many_counters_were_wrong(idle: Collector) -> None:
    idle.verb("demo-data", "--instances", "3")
    told = idle.verb("recount").stderr
    assert told.endswith("rollcall-collector: every counter is right\n")


def test_heartbeats_in_the_tables_of_their_days_are_counted(stores: Stores, tables: Database) -> None:
    stores.events.keep([beat(number, NOW - number * DAY_MS // 2) for number in range(5)])
    stores.events.fold()
    assert tables.all("SELECT COUNT(*) FROM events") == [(0,)]
    right = counted(tables)
    assert sum(right["daily"].values()) == 5
    assert stores.events.recount(lambda _: None) == 0
    with tables.transaction() as tx:
        tx.execute("DELETE FROM daily")
    assert stores.events.recount(lambda _: None) == len(right["daily"])
    assert counted(tables) == right

"""The thread that counts, step by step."""

from __future__ import annotations

import logging

import pytest

from collector.serve.folder import REST_TIMES, Folder
from collector.store import Stores
from collector.store.database import Database
from collector.store.sql import folding
from tests.collector.store.contract.history import SOURCE, made_history
from tests.wait import until


def waiting(tables: Database) -> int:
    return int(tables.all("SELECT coalesce(SUM(events), 0) FROM pending")[0][0])


def test_what_waits_is_counted_in_a_fifth_of_the_time(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "PIECE", 20)
    monkeypatch.setattr(folding, "FOLD_SECONDS", 0)
    times = iter(range(0, 1000, 3))  # a fold takes three seconds
    folder = Folder(stores.events, pause=60, clock=lambda: float(next(times)))
    history = made_history(0)[:60]
    for start in range(0, 60, 10):
        stores.events.keep(history[start : start + 10])
    for left in (40, 20, 0):
        assert folder.step() == REST_TIMES * 3
        assert waiting(tables) == left
    assert folder.step() == 60


def test_a_store_that_cannot_count_is_told_of_once_and_asked_again(
    stores: Stores, tables: Database, caplog: pytest.LogCaptureFixture
) -> None:
    stores.events.keep(made_history(0)[:10])
    folder = Folder(stores.events, pause=60)
    with tables.transaction() as tx:
        tx.execute("ALTER TABLE cohorts RENAME TO away")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert folder.step() >= 60
        assert waiting(tables) == 10
        with tables.transaction() as tx:
            tx.execute("ALTER TABLE away RENAME TO cohorts")
        folder.step()
    assert waiting(tables) == 0
    told = [record.message for record in caplog.records]
    assert len(told) == 2
    assert told[0].startswith("events are not counted: ")
    assert told[1] == "events are counted again"


def test_the_thread_counts_by_itself_until_it_is_stopped(stores: Stores, tables: Database) -> None:
    folder = Folder(stores.events, pause=0.01)
    folder.start()
    stores.events.keep(made_history(0)[:50])
    until(lambda: waiting(tables) == 0)
    folder.stop()
    stores.events.keep(made_history(0)[50:60])
    assert waiting(tables) == 10
    assert stores.events.sources_heard([SOURCE]) == {SOURCE}
    assert waiting(tables) == 0

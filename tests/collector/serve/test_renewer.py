"""The thread that stores the events of an older version anew: how it rests, what it tells, what stops it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing

import pytest

from collector.serve import renewer
from collector.serve.renewer import PAUSE_SECONDS, REST_TIMES, Renewer
from collector.store import Stores, open_stores
from collector.store.sql import narrowing
from tests.collector.store.old import leave_old_database, old_beats

DAY = 86_400_000


@pytest.fixture
def old_stores(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """A hundred old heartbeats; a piece has ten."""
    leave_old_database(database, old_beats(100, 5, 20_000 * DAY), monkeypatch)
    monkeypatch.setattr(narrowing, "PIECE", 10)
    with closing(open_stores(database)) as stores:
        yield stores


def test_it_takes_a_fifth_of_the_time_tells_each_tenth_and_ends(
    old_stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    times = iter(range(0, 1000, 3))  # a piece takes three seconds
    one = Renewer(old_stores.events, clock=lambda: float(next(times)))
    with caplog.at_level(logging.WARNING):
        rests = [one.step() for _ in range(10)]
    assert rests == [REST_TIMES * 3] * 9 + [None]
    told = [record.message for record in caplog.records]
    assert [text.rpartition(": ")[2] for text in told] == [
        f"{tenth * 10} % done" for tenth in (*range(9), 10)
    ]
    assert Renewer(old_stores.events).step() is None


def test_with_a_full_disk_it_waits_and_says_so_once(
    old_stores: Stores, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Renewer(old_stores.events)
    if old_stores.events.space().free is None:
        assert one.step() != PAUSE_SECONDS  # nobody knows what the disk of another machine has left
        return
    with monkeypatch.context() as full, caplog.at_level(logging.WARNING):
        full.setattr(renewer, "ROOM_BYTES", 2**60)
        assert [one.step(), one.step()] == [PAUSE_SECONDS] * 2
    assert len(caplog.records) == 1
    assert "MiB of free disk" in caplog.records[0].message
    assert old_stores.events.renew() == 90


def test_a_store_that_cannot_do_it_is_asked_again(
    old_stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    one = Renewer(old_stores.events)
    with old_stores.control.transaction() as tx:
        tx.execute("ALTER TABLE removals RENAME TO away")
    with caplog.at_level(logging.WARNING):
        assert [one.step(), one.step()] == [PAUSE_SECONDS] * 2
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "older events are not stored anew now"
    ]
    with old_stores.control.transaction() as tx:
        tx.execute("ALTER TABLE away RENAME TO removals")
    assert one.step() not in (None, PAUSE_SECONDS)

"""Which commits wait for the disk; and what a power cut leaves, which is a first part of SQLite's log."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bench.filling import beats
from collector.base.times import DAY_MS
from collector.store import EventStore, StoreError, Stores, open_database, open_stores
from collector.store.database import Transaction
from collector.store.sqlite import SQLiteDatabase
from collector.store.values import Cutoffs

pytestmark = pytest.mark.once

SOURCE, ROUNDS = 1, 4
NOW = int(time.time() * 1000)
IDS = [number.to_bytes(6, "big") + b"\x40" + bytes(1) + b"\x80" + bytes(7) for number in range(30)]
FRAME = 24 + 4096


def opened(path: Path) -> closing[Stores]:
    return closing(open_stores(f"sqlite:///{path}"))


def stored(store: EventStore) -> int:
    return sum(map(len, store.export()))


def count(store: EventStore) -> None:
    while store.fold():
        pass


def expire(store: EventStore) -> None:
    store.expire(Cutoffs(beats=(NOW // DAY_MS - 2) * DAY_MS), NOW, lambda _: None)


def cuts(path: Path, whole: bytes, log: bytes) -> Iterator[tuple[int, Path]]:
    """The database with each first part of its log, and how long that is."""
    for number, length in enumerate(range(32, len(log) + 1, FRAME)):
        copy = path.with_name(f"cut-{number}.db")
        copy.write_bytes(whole)
        copy.with_name(f"{copy.name}-wal").write_bytes(log[:length])
        yield length, copy


def flushed(tx: Transaction) -> bool:
    """Whether the commit of this transaction waits for the disk."""
    if tx.dialect == "sqlite":
        return tx.all("PRAGMA synchronous") == [(2,)]
    return tx.all("SHOW synchronous_commit") == [("on",)]


def test_only_a_commit_that_need_not_last_waits_for_no_disk(database: str) -> None:
    with closing(open_database(database)) as tables:
        for wanted in (True, False, True):
            with tables.transaction(lasting=wanted) as tx:
                assert flushed(tx) is wanted
        with suppress(ZeroDivisionError), tables.transaction(lasting=False) as tx:
            raise ZeroDivisionError
        with tables.transaction() as tx:
            assert flushed(tx)


def test_no_event_is_committed_where_flushing_cannot_be_switched_on_again(tmp_path: Path) -> None:
    def refuse(action: int, _: str | None, value: str | None, *__: str | None) -> int:
        wrong = action == sqlite3.SQLITE_PRAGMA and value == "FULL"
        return sqlite3.SQLITE_DENY if wrong else sqlite3.SQLITE_OK

    with closing(SQLiteDatabase(str(tmp_path / "s.db"))) as tables:
        tables._writer.set_authorizer(refuse)
        with suppress(StoreError), tables.transaction(lasting=False):
            pass
        with suppress(StoreError), tables.transaction() as tx:
            assert flushed(tx)
        tables._writer.set_authorizer(None)
        with tables.transaction() as tx:
            assert flushed(tx)


def test_whatever_part_of_the_log_is_left_the_numbers_agree_with_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.db"
    log = path.with_name("s.db-wal")
    acknowledged, kept = {0: 0}, 0
    with opened(path) as stores:
        stores.events.tidy()
        monkeypatch.setattr(SQLiteDatabase, "tidy", lambda _: None)  # it would empty the log
        for number in range(ROUNDS):
            kept += stores.events.keep(beats(IDS, NOW - (4 - number) * DAY_MS, 20, SOURCE))
            acknowledged[log.stat().st_size] = kept
            count(stores.events)
        expiry = log.stat().st_size
        expire(stores.events)
        left, whole, all_of_it = stored(stores.events), path.read_bytes(), log.read_bytes()
    assert left < kept == 20 * ROUNDS
    assert len(all_of_it) > expiry > max(acknowledged)
    for length, copy in cuts(path, whole, all_of_it):
        with opened(copy) as stores:
            if length <= expiry:
                assert stored(stores.events) >= max(n for end, n in acknowledged.items() if end <= length)
            count(stores.events)
            assert sum(stores.events.count_all_by_day(SOURCE).values()) >= stored(stores.events)
            assert stores.events.recount(lambda _: None) == 0
            if length > expiry:
                expire(stores.events)
                assert stored(stores.events) == left
                assert sum(stores.events.count_all_by_day(SOURCE).values()) == kept
                assert stores.events.recount(lambda _: None) == 0

"""Counting apart from keeping, in tables."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from collector.admin import keys
from collector.store import StoreError, Stores, open_database, open_stores
from collector.store.database import Database
from collector.store.sql import folding
from collector.store.waiting import sort_packed
from tests.collector.cluster import Cluster
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import OTHER_SOURCE, SOURCE, keep_in_pieces, made_history
from tests.collector.store.sql.test_arrival import beat
from tests.wait import until

HANGING = "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


def waiting(tables: Database) -> int:
    return int(tables.all("SELECT coalesce(SUM(events), 0) FROM pending")[0][0])


def test_a_question_counts_first_what_waits_if_it_is_little(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "LITTLE", 20)
    history = made_history(0)
    stores.events.keep(history[:20])
    assert waiting(tables) == 20
    assert told_by(stores.events) == said_by(history[:20])
    assert waiting(tables) == 0
    keep_in_pieces(stores.events, history[20:41], 7)
    told, said = told_by(stores.events), said_by(history[:20])
    for name in ("active now", "states", "instances", "runs", "names"):
        assert told[name] == said[name], name
    assert waiting(tables) == 21
    assert stores.events.counted_until() == min(event.received for event in history[20:41])
    stores.events.fold()
    assert stores.events.counted_until() is None
    assert told_by(stores.events) == said_by(history[:41])


def test_a_source_of_heartbeats_alone_is_heard_however_many_wait(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import deletes the source that it made, if nothing came from it."""
    monkeypatch.setattr(folding, "LITTLE", 0)
    source, _ = keys.make_source(stores.control, "a", 0)
    stores.events.keep([beat(number)._replace(source=source) for number in range(3)])
    assert stores.events.sources_heard([source, source + 1]) == {source}
    assert not keys.drop_unused_source(stores, source)


def test_a_fold_that_fails_counts_nothing_and_loses_nothing(stores: Stores, tables: Database) -> None:
    history = made_history(0)
    stores.events.keep(history)
    with tables.transaction() as tx:
        tx.execute("ALTER TABLE retention RENAME TO away")
    with pytest.raises(StoreError):
        stores.events.fold()
    assert (tables.all("SELECT * FROM instances"), waiting(tables)) == ([], len(history))
    with tables.transaction() as tx:
        tx.execute("ALTER TABLE away RENAME TO retention")
    assert stores.events.fold() == len(history)
    assert told_by(stores.events) == said_by(history)


def test_what_waits_in_great_number_is_sorted_and_counted_in_pieces(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "SORTED_FROM", 50)
    monkeypatch.setattr(folding, "SORTED_MOST", 100)
    monkeypatch.setattr(folding, "PIECE", 30)
    monkeypatch.setattr(folding, "FOLD_SECONDS", 0)
    history = made_history(0)
    keep_in_pieces(stores.events, history, 10)
    assert 0 < stores.events.fold() <= 30
    negative = tables.all("SELECT SUM(events) FROM pending WHERE number < 0")
    assert 60 <= int(negative[0][0]) < 100
    assert waiting(tables) > 100
    count = waiting(tables)
    while folded := stores.events.fold():
        assert folded <= 30
        count -= folded
    assert count == waiting(tables) == 0
    for source in (SOURCE, OTHER_SOURCE):
        assert told_by(stores.events, source) == said_by(history, source)


def test_what_was_counted_while_it_was_sorted_is_not_counted_again(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In SQLite, later events wait under the numbers of earlier ones."""
    sort, history = sort_packed, made_history(0)
    later = history[80:]

    def sort_slowly(rows: Iterable[bytes], size: int) -> Iterator[tuple[int, bytes]]:
        found = list(sort(rows, size))
        with tables.transaction() as tx:
            folding.fold_all(tx)
        keep_in_pieces(stores.events, later, 20)
        return iter(found)

    monkeypatch.setattr(folding, "SORTED_FROM", 80)
    monkeypatch.setattr(folding, "sort_packed", sort_slowly)
    keep_in_pieces(stores.events, history[:80], 20)
    folding.sort_pending(tables)
    monkeypatch.setattr(folding, "sort_packed", sort)
    folding.fold_waiting(tables)
    for source in (SOURCE, OTHER_SOURCE):
        assert told_by(stores.events, source) == said_by(history, source)


def test_a_fold_ends_with_its_time_and_a_large_batch_waits_in_pieces(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "PIECE", 30)
    monkeypatch.setattr(folding, "LITTLE", 0)
    history = made_history(0)
    stores.events.keep(history)
    assert max(tables.all("SELECT events FROM pending")) == (30,)
    assert len({event[:2] for event in history}) == waiting(tables)
    monkeypatch.setattr(folding, "FOLD_SECONDS", 0)
    assert stores.events.fold() == 30
    monkeypatch.setattr(folding, "FOLD_SECONDS", 3600)
    assert stores.events.fold() == len(history) - 30
    for source in (SOURCE, OTHER_SOURCE):
        assert told_by(stores.events, source) == said_by(history, source)


def test_who_counts_now_and_then_does_not_wait_for_another_who_counts(
    stores: Stores, tables: Database, database: str
) -> None:
    """In SQLite there is one server, and others wait for its whole transaction."""
    history = made_history(0)
    stores.events.keep(history)
    if tables.dialect == "sqlite":
        assert stores.events.fold() == len(history)
        return
    with closing(open_database(database)) as other, other.transaction() as tx:
        tx.wait_to_count()
        assert stores.events.fold() == 0
        assert waiting(tables) == len(history)
    assert stores.events.fold() == len(history)


def test_an_event_that_was_deleted_before_it_was_counted_is_in_no_number(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deletion counts first what waits, however much."""
    monkeypatch.setattr(folding, "LITTLE", 0)
    monkeypatch.setattr(folding, "PIECE", 30)
    history = made_history(0)
    keep_in_pieces(stores.events, history)
    assert waiting(tables) == len(history)
    key = history[0].key or 0
    gone = [event for event in history if event.key == key]
    assert stores.events.remove(key, 0, 2**62, lambda _: None) == len(gone)
    assert waiting(tables) == 0
    left = [event for event in history if event.key != key]
    assert told_by(stores.events) == said_by(left)


def test_each_process_has_a_lane_for_what_keys_added(stores: Stores, tables: Database) -> None:
    other = type(stores.events)(tables)  # type: ignore[call-arg]
    history = made_history(0)
    stores.events.keep(history[:40])
    other.keep(history[40:80])
    lanes = tables.all("SELECT CAST(SUM(events) AS INTEGER) FROM usage GROUP BY lane")
    assert lanes == [(40,), (40,)]
    used = stores.events.usage_since(0)
    assert sum(one.events for one in used) == 80
    assert len({(one.key, one.hour) for one in used}) == len(used)


def commit_until(seen: threading.Event, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as one:
        while not seen.is_set():
            one.execute("SELECT pg_logical_emit_message(true, 'a commit', '')")


def hanging(other: psycopg.Connection) -> int:
    """How many commits wait for a standby."""
    (count,) = other.execute(HANGING).fetchone() or (0,)
    return int(count)


@pytest.mark.once
@pytest.mark.needs("postgresql")
def test_who_reads_waits_for_no_standby() -> None:
    """The counters are brought up to date before they are read, and that may be undone."""
    history, own = made_history(0), Cluster()
    try:
        own.start()
        url = own.database()
        with closing(open_stores(url)) as stores, psycopg.connect(url, autocommit=True) as other:
            stores.events.keep(history[:20])
            other.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            other.execute("SELECT pg_reload_conf()")
            seen = threading.Event()
            with ThreadPoolExecutor(2) as threads:
                threads.submit(commit_until, seen, url)
                try:
                    until(lambda: hanging(other) == 1, why="the server waits for the standby by now")
                finally:
                    seen.set()
                kept = threads.submit(stores.events.keep, history[20:40])  # which has to last
                until(lambda: hanging(other) == 2)
                assert stores.events.fold() == 20
                other.execute("ALTER SYSTEM RESET synchronous_standby_names")
                other.execute("SELECT pg_reload_conf()")
                assert kept.result() == 20
            own.stop()
            own.start()
            stores.events.fold()
            assert stores.events.recount(lambda _: None) == 0
    finally:
        own.remove()

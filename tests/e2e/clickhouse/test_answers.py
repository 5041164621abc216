"""The event store on a cluster answers as the one on SQLite, whatever was deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from collector.base.times import DAY_MS
from collector.store import EventStore, StoreError, check_events, open_stores
from collector.store.clickhouse.store import ClickHouseEventStore
from collector.store.values import Cutoffs
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import (
    INSTANCES,
    NOW,
    OTHER_SOURCE,
    SOURCE,
    made_history,
    pieces,
)
from tests.e2e.clickhouse.cluster import ClickHouseCluster
from tests.e2e.clickhouse.members import RECEIVE_SECONDS
from tests.wait import until

pytestmark = [
    pytest.mark.needs("clickhouse", "zookeeper"),
    pytest.mark.once,
    pytest.mark.serial,
]


def agree(one: EventStore, other: EventStore) -> bool:
    """Whether both give the same answers; of a cluster they may be some seconds old."""
    return told_by(one) == told_by(other)


def test_a_cluster_answers_as_one_file_does(fleet: ClickHouseCluster, tmp_path: Path) -> None:
    history, url = made_history(0), fleet.database()
    with ExitStack() as opened, ThreadPoolExecutor(2) as threads:

        def open_store(name: str, events: str = "") -> EventStore:
            stores = open_stores(f"sqlite:///{tmp_path}/{name}.db", events)
            return opened.enter_context(closing(stores)).events

        plain, ours, others = open_store("plain"), open_store("ours", url), open_store("others", url)
        jobs = [
            threads.submit(store.keep, piece) for piece in pieces(history, 40) for store in (ours, others)
        ]
        assert sum(job.result() for job in jobs) >= len(history)
        for piece in pieces(history, 25):
            plain.keep(piece)
        assert told_by(plain) == said_by(history)
        until(lambda: told_by(others) == said_by(history), why="the events are on every replica")
        assert ours.forget(SOURCE, INSTANCES[0]) == plain.forget(SOURCE, INSTANCES[0])
        before = Cutoffs(NOW - 20 * DAY_MS, NOW - 10 * DAY_MS, NOW - 5 * DAY_MS)
        expired = [store.expire(before, NOW, lambda _: None) for store in (ours, plain)]
        assert expired[0] == expired[1]
        assert expired[0].deleted > 0
        until(lambda: agree(others, plain), why="the old events are gone")
        kept = sum(map(len, plain.export()))
        until(lambda: sum(map(len, others.export())) == kept, why="they are gone from every replica")
        for replica in fleet.replicas:
            shard = f"SELECT count() FROM {url.rpartition('/')[2].partition('?')[0]}.events_local FINAL"
            assert 0 < int(replica.ask(f"{shard} WHERE source > 0")) < kept


def test_whoever_was_forgotten_may_come_back_to_the_letter(fleet: ClickHouseCluster, tmp_path: Path) -> None:
    """Replicas leave out a block that they had before, also if its rows were deleted."""
    history = [event for event in made_history(0) if event.who == INSTANCES[0]]
    with closing(open_stores(f"sqlite:///{tmp_path}/c.db", fleet.database())) as stores:
        for _ in range(2):
            stores.events.keep(history)
            until(lambda: told_by(stores.events) == said_by(history), why="all is there")
            stores.events.forget(SOURCE, INSTANCES[0])
            stores.events.forget(OTHER_SOURCE, INSTANCES[0])
            until(lambda: told_by(stores.events) == said_by([]), why="nothing is left")


def test_a_cluster_that_nobody_knows_is_told(fleet: ClickHouseCluster) -> None:
    with pytest.raises(StoreError, match="know no cluster 'flock'"):
        ClickHouseEventStore(fleet.database().replace("=fleet", "=flock"))


def test_the_check_holds_on_a_cluster_and_leaves_nothing(fleet: ClickHouseCluster) -> None:
    findings = [*check_events(fleet.database())]
    assert all(finding.holds for finding in findings), findings
    assert any("replicas of 3" in finding.text for finding in findings)
    assert any(f"waits {RECEIVE_SECONDS} s" in finding.text for finding in findings)
    for replica in fleet.replicas:
        assert "rollcall_check_" not in replica.ask("SHOW DATABASES")

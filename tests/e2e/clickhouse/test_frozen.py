"""A server of the cluster is frozen: the page and the senders go on without it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

import pytest

from collector.base.events import Event
from collector.store import StoreUnavailable
from collector.store.clickhouse.client import ANSWER_SECONDS
from collector.store.clickhouse.store import ClickHouseEventStore
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import NOW, SOURCE, made_history, pieces
from tests.e2e.clickhouse.cluster import ClickHouseCluster
from tests.e2e.clickhouse.members import Replica
from tests.wait import until

pytestmark = [
    pytest.mark.needs("clickhouse", "zookeeper"),
    pytest.mark.once,
    pytest.mark.serial,
    pytest.mark.timeout(600),
]


@contextmanager
def frozen(replica: Replica) -> Iterator[None]:
    replica.freeze()
    try:
        yield
    finally:
        replica.thaw()


def test_reports_and_senders_go_on_without_a_frozen_server(fleet: ClickHouseCluster, *, slow: bool) -> None:
    """Whether the collector asks it itself, or another server does."""
    history = made_history(0)
    first, *rest = pieces(history, 20 if slow else 60)
    with closing(ClickHouseEventStore(fleet.database())) as store:
        store.keep(first)
        now = store.census(SOURCE, NOW)
        asked = fleet.replicas[store._client._at]
        others = [one for one in fleet.replicas if one is not asked]
        for replica in [asked, *others] if slow else [asked, others[-1]]:
            with frozen(replica):
                for _ in range(3):
                    began = time.monotonic()
                    assert store.census(SOURCE, NOW) == now
                    took = time.monotonic() - began
                    print(f"{replica.name}: {took:.1f} s", flush=True)
                    assert took < ANSWER_SECONDS / 2  # it was several minutes
                until(lambda: is_kept(store, first), why="a sender goes on")
        for piece in rest:
            until(lambda piece=piece: is_kept(store, piece), why="all of them are there again")  # type: ignore[misc]
        until(lambda: told_by(store) == said_by(history), why="every replica has caught up")


def is_kept(store: ClickHouseEventStore, events: Sequence[Event]) -> bool:
    """A sender that is told 503 sends its events again."""
    with suppress(StoreUnavailable):
        store.keep(events)
        return True
    return False

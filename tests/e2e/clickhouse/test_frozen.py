"""A server of the cluster is frozen: the page and the senders go on without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

import pytest

from collector.base.events import Event
from collector.store import StoreUnavailable
from collector.store.clickhouse.cluster import FROZEN_SECONDS, catch_up
from collector.store.clickhouse.store import ClickHouseEventStore
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import NOW, SOURCE, made_history, pieces
from tests.e2e.clickhouse.cluster import ClickHouseCluster
from tests.e2e.clickhouse.members import HERE, Replica
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
    """Whether the collector asks it, or another server does. Whoever waits the whole time has failed."""
    history, url = made_history(0), fleet.database()
    first, *rest = pieces(history, 20 if slow else 60)
    with closing(ClickHouseEventStore(url)) as store:
        assert f"receive_timeout={FROZEN_SECONDS}" in store._client._path()  # servers of today heed it
        store.keep(first)
        catch_up(store._client, "events", "instances", all_of_them=True)
        now = store.census(SOURCE, NOW)
        asked = fleet.replicas[store._client._at]
        asking = next(one for one in fleet.replicas if one is not asked)
        others = [one for one in fleet.replicas if one.shard != asking.shard and one is not asked]
        with closing(store_on(asking, url)) as single:
            with frozen(asked):
                assert store.census(SOURCE, NOW) == now
                assert (HERE, asked.http) in store._client._frozen._until  # it gave no sign of life
                until(lambda: is_kept(store, first), why="a sender goes on")
            for replica in others if slow else others[-1:]:
                with frozen(replica):
                    before = failures_of(asking)
                    while failures_of(asking) == before:  # it asks one of three, by chance
                        assert single.census(SOURCE, NOW) == now
                    until(lambda: is_kept(store, first), why="a sender goes on")
        for piece in rest:
            until(lambda piece=piece: is_kept(store, piece), why="all of them are there again")  # type: ignore[misc]
        until(lambda: told_by(store) == said_by(history), why="every replica has caught up")


def store_on(replica: Replica, url: str) -> ClickHouseEventStore:
    """A store that asks one server alone."""
    return ClickHouseEventStore(f"clickhouse://default@{HERE}:{replica.http}/{url.rpartition('/')[2]}")


def failures_of(replica: Replica) -> int:
    """How often a server has asked another one in vain."""
    counted = "SELECT sum(value) FROM system.events WHERE event = 'DistributedConnectionFailTry'"
    return int(replica.ask(counted))


def is_kept(store: ClickHouseEventStore, events: Sequence[Event]) -> bool:
    """A sender that is told 503 sends its events again."""
    with suppress(StoreUnavailable):
        store.keep(events)
        return True
    return False

"""A replica is killed while events are deleted: when it is back, the result is exact and on every replica."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from collector.base.times import DAY_MS
from collector.store import EventStore, StoreUnavailable, open_stores
from collector.store.clickhouse import mutations
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.pushing import push_rows
from collector.store.clickhouse.tables import ClickHouseTable
from collector.store.values import Cutoffs
from tests.collector.statement_proxy import Changes
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import INSTANCES, NOW, SOURCE, made_history, pieces
from tests.e2e.clickhouse.cluster import ClickHouseCluster
from tests.e2e.clickhouse.members import UNKNOWN_PARTS
from tests.wait import until

pytestmark = [
    pytest.mark.needs("clickhouse", "zookeeper"),
    pytest.mark.once,
    pytest.mark.serial,
    pytest.mark.timeout(1200),
]

BEFORE = Cutoffs(NOW - 20 * DAY_MS, NOW - 10 * DAY_MS, NOW - 5 * DAY_MS)


def forget(store: EventStore) -> None:
    store.forget(SOURCE, INSTANCES[0])


def expire(store: EventStore) -> None:
    store.expire(BEFORE, NOW, lambda _: None)


def watch(monkeypatch: pytest.MonkeyPatch, changes: Changes) -> None:
    """Have every statement counted, once a server has answered it."""
    send = Client._send

    def counted(client: Client, at: int, path: str, body: bytes, seconds: float, *, looks: bool) -> bytes:
        answer = send(client, at, path, body, seconds, looks=looks)
        changes.passed_on(body)
        return answer

    monkeypatch.setattr(Client, "_send", counted)


@pytest.mark.parametrize(
    ("delete", "number"), [(forget, 1), (expire, 2), pytest.param(expire, 7, marks=pytest.mark.slow)]
)
def test_a_replica_that_is_killed_while_events_are_deleted_has_deleted_them_when_it_is_back(
    fleet: ClickHouseCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    delete: Callable[[EventStore], None],
    number: int,
) -> None:
    victim, url = fleet.replicas[-1], fleet.database()
    with ExitStack() as opened:
        whole, ours = (
            opened.enter_context(closing(open_stores(f"sqlite:///{tmp_path}/{number}.db", events))).events
            for number, events in enumerate((fleet.database(), url))
        )
        history = made_history(7)
        for piece in pieces(history, 80):
            whole.keep(piece)
            ours.keep(piece)
        until(lambda: told_by(ours) == said_by(history), why="the events are on every replica")
        delete(whole)
        with monkeypatch.context() as patched:
            changes = Changes(number, victim.kill)
            watch(patched, changes)
            with suppress(StoreUnavailable):  # expiry waits until all servers are up
                delete(ours)
        assert changes.count >= number
        assert victim.process is None
        fleet.restart([victim])
        until(lambda: is_done(delete, ours), why="it is done")
        until(lambda: told_by(ours) == told_by(whole), why="the answers are those without a kill")
        kept = "SELECT count() FROM {}.events_local FINAL WHERE source > 0"
        sql = kept.format(url.rpartition("/")[2].partition("?")[0])
        shard = [one for one in fleet.replicas if one.shard == victim.shard]
        until(lambda: len({one.ask(sql) for one in shard}) == 1, why="every replica has deleted the same")


def test_a_deletion_ends_though_servers_take_an_older_part_for_the_last_one(
    fleet: ClickHouseCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they do if what they know of a push is overwritten: then they leave the pushed part alone."""
    pushed = list[str]()

    def lose_first(client: Client, table: ClickHouseTable) -> None:
        if table.name in pushed:
            push_rows(client, table)
        pushed.append(table.name)

    monkeypatch.setattr(mutations, "push_rows", lose_first)
    monkeypatch.setattr(mutations, "STUCK_SECONDS", 1.0)
    history = made_history(5)
    with closing(open_stores(f"sqlite:///{tmp_path}/c.db", fleet.database())) as stores:
        stores.events.keep(history)
        until(lambda: told_by(stores.events) == said_by(history), why="the events are on every replica")
        forget(stores.events)
        rest = [event for event in history if event.source != SOURCE or event.who != INSTANCES[0]]
        until(lambda: told_by(stores.events) == said_by(rest), why="the instance is forgotten")
    assert pushed.count("events") >= 2


def test_a_killed_replica_with_parts_that_nobody_knows_comes_back_as_the_docs_say(
    fleet: ClickHouseCluster, tmp_path: Path
) -> None:
    victim, url = fleet.replicas[-1], fleet.database()
    name = url.rpartition("/")[2].partition("?")[0]
    history = made_history(0)
    with closing(open_stores(f"sqlite:///{tmp_path}/c.db", url)) as stores:
        stores.events.keep(history)
        until(lambda: told_by(stores.events) == said_by(history), why="the events are on every replica")
        victim.kill()
        table = victim.folder / "data" / "data" / name / "events_local"
        for part in [*table.glob("*_0")]:
            for number in (500, 501):
                copy = table / f"{part.name.partition('_')[0]}_{number}_{number}_0"
                if not copy.exists():
                    shutil.copytree(part, copy)
        victim.start()
        until(victim.has_crashed, why="it does not start by itself")
        assert UNKNOWN_PARTS in (victim.folder / "errors").read_bytes()
        fleet.restart([victim])
        until(lambda: told_by(stores.events) == said_by(history), why="the answers are the same")
        count = f"SELECT count() FROM {name}.events_local WHERE source > 0"
        shard = [one for one in fleet.replicas if one.shard == victim.shard]
        until(lambda: len({one.ask(count) for one in shard}) == 1, why="and so are the replicas")


def is_done(delete: Callable[[EventStore], None], store: EventStore) -> bool:
    """Whoever is told 503 tries again, and so does expiry on the next day."""
    with suppress(StoreUnavailable):
        delete(store)
        return True
    return False

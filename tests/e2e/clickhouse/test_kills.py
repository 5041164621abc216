"""Members of a cluster and collectors are killed under load: no event is lost, and none counts twice."""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from collector.store import EventStore, open_stores
from tests.collector.running import Collector
from tests.collector.sending import Sender, acknowledged_by, ids_of, sending
from tests.collector.store.contract.answers import told_by
from tests.collector.store.contract.history import SOURCE, made_history
from tests.deadends import unused_port
from tests.e2e.clickhouse.cluster import ClickHouseCluster
from tests.e2e.clickhouse.members import Member, Replica
from tests.wait import until

pytestmark = [
    pytest.mark.needs("clickhouse", "zookeeper"),
    pytest.mark.once,
    pytest.mark.serial,
    pytest.mark.timeout(1200),
]

SENDERS = 2
HISTORY = 300  # events that every report is asked of
BY_ARRIVAL = ("events", "named", "events of instance", "events of run")
REFUSALS = 3


@pytest.fixture
def collectors(fleet: ClickHouseCluster, tmp_path: Path) -> Iterator[list[Collector]]:
    """Two on one cluster, as behind a proxy."""
    url = fleet.database()
    with ExitStack() as running:
        started = [
            Collector(tmp_path / name, f"sqlite:///{tmp_path}/{name}.db", ROLLCALL_COLLECTOR_EVENTS=url)
            for name in ("one", "two")
        ]
        for one in started:
            running.callback(one.kill)
            one.start(f"127.0.0.1:{unused_port()}")  # which nobody takes while it is killed
        yield started


@contextmanager
def load(collectors: Sequence[Collector]) -> Iterator[list[Sender]]:
    """Senders at work, with a history to send."""
    events = [one.body for one in made_history(5, HISTORY) if one.source == SOURCE]
    senders = [Sender(collectors, n, events[n::SENDERS]) for n in range(SENDERS)]
    with sending(senders):
        yield senders


def go_on(senders: Sequence[Sender]) -> None:
    """Wait until each sender has another batch taken."""
    before = [len(sender.acknowledged) for sender in senders]
    until(
        lambda: all(len(one.acknowledged) > n for one, n in zip(senders, before, strict=True)),
        why="events are taken",
    )


def is_whole(fleet: ClickHouseCluster) -> bool:
    """Whether every replica is there, and has all that the others have."""
    lacking = (
        "is_readonly OR is_session_expired OR active_replicas < total_replicas OR inserts_in_queue > 0"
        " OR log_max_index > 0 AND log_pointer <= log_max_index"
    )
    asked = f"SELECT count() > 0 AND countIf({lacking}) = 0 FROM system.replicas"
    with suppress(OSError, http.client.HTTPException):  # one may take long, while it looks for ZooKeeper
        return all(one.ask(asked) == "1\n" for one in fleet.replicas)
    return False


def kill_member(fleet: ClickHouseCluster, member: Member, senders: Sequence[Sender]) -> None:
    member.kill()
    go_on(senders)
    fleet.restart([member])
    until(lambda: is_whole(fleet), why=f"{member.name} has caught up")


def kill_collector(collector: Collector, senders: Sequence[Sender]) -> None:
    collector.kill()
    go_on(senders)
    collector.start(f"127.0.0.1:{collector.port}")


def answers_of(store: EventStore) -> dict[str, Any]:
    """What a store answers, but when each event arrived."""
    found = told_by(store)
    for name in BY_ARRIVAL:
        del found[name]
    return found


def compare_with_sqlite(collector: Collector, senders: Sequence[Sender], tmp_path: Path) -> None:
    """Every report is that of a single collector on SQLite that got the same events."""
    single = Collector(tmp_path / "single", f"sqlite:///{tmp_path}/single.db").start()
    sent = sorted({one for sender in senders for one in sender.acknowledged})
    for start in range(0, len(sent), 100):
        body = f'{{"batch":[{",".join(sent[start : start + 100])}]}}'.encode()
        assert single.post("/v1/batch", body).status == 200
    single.stop()
    url = collector.settings["ROLLCALL_COLLECTOR_EVENTS"]
    with (
        closing(open_stores(f"sqlite:///{tmp_path}/other.db", url)) as ours,
        closing(open_stores(single.database)) as plain,
    ):
        while plain.events.fold():
            pass
        assert answers_of(ours.events) == answers_of(plain.events)


def test_kills_one_at_a_time_lose_nothing_and_double_nothing(
    fleet: ClickHouseCluster, collectors: list[Collector], tmp_path: Path, *, slow: bool
) -> None:
    chance, kills = random.Random(16), 24 if slow else 4
    began = time.monotonic()
    with load(collectors) as senders:
        go_on(senders)
        for number in range(kills):
            kind = number % 4
            if kind == 1:
                kill_member(fleet, chance.choice(fleet.keepers), senders)
            elif kind == 3:
                kill_collector(chance.choice(collectors), senders)
            else:
                kill_member(fleet, chance.choice(fleet.replicas), senders)
            print(f"kill {number + 1}: {time.monotonic() - began:.0f} s", flush=True)
    sent = ids_of(senders)
    refused = sum(sender.refused for sender in senders)
    print(f"{kills} kills, {len(sent)} events acknowledged, {refused} batches refused", flush=True)
    until(lambda: is_whole(fleet))
    assert sorted(one["messageId"] for one in collectors[0].export()) == sent
    compare_with_sqlite(collectors[1], senders, tmp_path)


@pytest.mark.parametrize("lost", ["replicas", pytest.param("keepers", marks=pytest.mark.slow)])
def test_without_a_quorum_nothing_is_acknowledged_until_it_is_back(
    fleet: ClickHouseCluster, collectors: list[Collector], lost: str
) -> None:
    first: Callable[[Replica], bool] = lambda one: one.shard == 1  # noqa: E731
    members: list[Member] = [*filter(first, fleet.replicas)] if lost == "replicas" else [*fleet.keepers]
    with load(collectors) as senders:
        go_on(senders)
        for member in members[:2]:
            member.kill()
        refused = [sender.refused for sender in senders]
        until(lambda: all(one.refused > n for one, n in zip(senders, refused, strict=True)))
        before = acknowledged_by(senders)
        reply = collectors[0].post(
            "/v1/batch", {"batch": [{"type": "track", "event": "E", "userId": "u"}] * 50}
        )
        assert reply.status == 503
        assert int(reply.headers["Retry-After"]) > 0
        refused = [sender.refused + REFUSALS for sender in senders]
        until(lambda: all(one.refused > n for one, n in zip(senders, refused, strict=True)))
        assert acknowledged_by(senders) == before
        fleet.restart(members[:2])
        go_on(senders)
        until(lambda: is_whole(fleet))
    sent = ids_of(senders)
    stored = [one["messageId"] for one in collectors[1].export()]
    assert set(sent) <= set(stored)
    assert len(stored) == len(set(stored))

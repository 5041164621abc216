"""A collector whose events are in ClickHouse: what clients, the page and the verbs see."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
import pytest

from collector.store import open_stores
from tests.collector.clickhouse import Debians
from tests.collector.cluster import Cluster
from tests.collector.running import Collector, event
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import SOURCE, made_history, pieces
from tests.wait import until

pytestmark = [pytest.mark.needs("clickhouse"), pytest.mark.once]


@pytest.fixture
def locked() -> Iterator[Debians]:
    """A server with a password, which a test may kill."""
    made = Debians()
    made.password = "s3cret"
    made.start()
    yield made
    made.remove()


@pytest.fixture
def collector(locked: Debians, tmp_path: Path) -> Iterator[Collector]:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    settings = {
        "ROLLCALL_COLLECTOR_EVENTS": locked.database(),
        "ROLLCALL_COLLECTOR_EVENTS_PASSWORD_FILE": str(secret),
    }
    started = Collector(tmp_path, f"sqlite:///{tmp_path}/control.db", **settings).start()
    yield started
    started.kill()


def exported(collector: Collector) -> list[str]:
    lines = collector.verb("export", "-").stdout.splitlines()
    return sorted(json.loads(line)["messageId"] for line in lines)


def test_an_engine_that_is_away_costs_delay_and_nothing_else(locked: Debians, collector: Collector) -> None:
    batches = [[event(messageId=f"m{number}{letter}") for letter in "abc"] for number in range(4)]
    assert collector.post("/v1/batch", {"batch": batches[0]}).status == 200
    locked.kill()
    for batch in batches[1:]:
        reply = collector.post("/v1/batch", {"batch": batch})
        assert reply.status == 503
        assert int(reply.headers["Retry-After"]) > 0
    locked.start()
    for batch in batches:
        assert collector.post("/v1/batch", {"batch": batch}).status == 200
    kept = sorted(one["messageId"] for batch in batches for one in batch)
    assert exported(collector) == kept
    collector.stop()


def test_every_verb_works_beside_the_server(collector: Collector, tmp_path: Path) -> None:
    batch = [event(messageId=f"m{number}") for number in range(20)]
    assert collector.post("/v1/batch", {"batch": batch}).status == 200
    assert "every counter is right" in collector.verb("recount").stderr
    file = tmp_path / "events.jsonl"
    collector.verb("export", str(file))
    moved = Collector(tmp_path / "other", f"sqlite:///{tmp_path}/moved.db")
    moved.verb("import", "--source", "test", str(file))
    assert exported(moved) == exported(collector) == sorted(one["messageId"] for one in batch)
    again = collector.verb("import", "--source", "test", str(file)).stderr
    assert "20 events read, 0 new" in again
    assert "20 events deleted" in collector.verb("purge", "--key", collector.key).stderr
    assert exported(collector) == []


def test_a_wrong_password_is_told_and_one_on_the_command_line_refused(
    locked: Debians, tmp_path: Path
) -> None:
    control = f"sqlite:///{tmp_path}/control.db"
    url = locked.database()
    closed = Collector(tmp_path, control, ROLLCALL_COLLECTOR_EVENTS=url)
    assert "ClickHouse says" in closed.verb("keys", "add", "one", code=1).stderr
    open_ = Collector(tmp_path, control)
    told = open_.verb("recount", "--events", url.replace("default@", "default:s3cret@"), code=2).stderr
    assert "everybody can see a password on a command line" in told
    assert "s3cret" not in told


def test_what_two_collectors_take_at_once_is_counted_once(clickhouse: Debians, tmp_path: Path) -> None:
    """Each takes it for new, and the rows of the one that came first stay."""
    history, url = made_history(4), clickhouse.database()
    with ExitStack() as opened, ThreadPoolExecutor(2) as threads:
        both = [
            opened.enter_context(closing(open_stores(f"sqlite:///{tmp_path}/{name}.db", url))).events
            for name in ("a", "b")
        ]
        jobs = [threads.submit(store.keep, piece) for piece in pieces(history, 20) for store in both]
        fresh = sum(job.result() for job in jobs)
        assert fresh >= len(history)
        for store in both:
            assert told_by(store) == said_by(history)
        assert sum(len(piece) for piece in both[0].export()) == len(history)
        assert both[1].sources_heard([SOURCE]) == {SOURCE}


@pytest.mark.needs("postgresql")
def test_several_workers_keep_each_event_once_though_one_of_them_is_killed(
    cluster: Cluster, clickhouse: Debians, start: Callable[..., Collector]
) -> None:
    events = {"ROLLCALL_COLLECTOR_EVENTS": clickhouse.database(), "ROLLCALL_COLLECTOR_WORKERS": "2"}
    together = start(cluster.database(), **events)
    assert together.process is not None
    workers = psutil.Process(together.process.pid).children()
    assert len(workers) == 2

    def send(number: int) -> list[str]:
        batch = [event(messageId=f"m{number} {letter}") for letter in "abcde"]
        until(lambda: taken(together, batch), why="the batch is taken")
        return [str(one["messageId"]) for one in batch]

    with ThreadPoolExecutor(8) as threads:
        sent = [threads.submit(send, number) for number in range(40)]
        sent[5].result()
        workers[0].kill()
        acknowledged = sorted(key for batch in sent for key in batch.result())
    assert exported(together) == acknowledged
    parent = psutil.Process(together.process.pid)
    until(lambda: workers[0] not in parent.children(), why="the parent has buried it")
    assert workers[1] in parent.children()


def taken(collector: Collector, batch: list[dict[str, object]]) -> bool:
    """A worker that dies cuts off its connections, and a client sends the same again."""
    with suppress(OSError, http.client.HTTPException):
        return collector.post("/v1/batch", {"batch": batch}).status == 200
    return False

"""What was acknowledged is never lost, whatever happens to the process, the disk or the database."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench import load
from collector.base.ids import uuid_of
from collector.store import open_database, open_stores
from collector.store.database import Database
from collector.store.sql import narrowing
from collector.store.sql.days import all_days
from tests.collector.cluster import Cluster
from tests.collector.running import Collector
from tests.collector.sending import BUSY, Sender, acknowledged_by, ids_of, sending
from tests.collector.store.old import leave_old_database, old_beats
from tests.deadends import unused_port
from tests.wait import PATIENCE, until

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.once

FOLDING = """
import signal, sys
from collector.serve.folder import Folder
from collector.store import open_stores
Folder(open_stores(sys.argv[1]).events, pause=0.02).start()
signal.pause()
"""


def beats(count: int) -> list[dict[str, Any]]:
    return [
        {
            "type": "track",
            "event": "Instance Active",
            "messageId": str(uuid.uuid4()),
            "anonymousId": f"00000000-0000-4000-8000-{number % 7:012x}",
        }
        for number in range(count)
    ]


def narrow_beats(count: int) -> list[dict[str, Any]]:
    """As the agent makes them, of as many instances."""
    now = int(time.time() * 1000)
    found = []
    for _ in range(count):
        who, message = str(uuid.uuid4()), uuid_of(now.to_bytes(6, "big") + random.randbytes(10), 7)
        ids = {"anonymousId": who, "messageId": message, "properties": {"instanceId": who}}
        found.append(load.beat(0, now) | ids)
    return found


def kill_with_workers(collector: Collector) -> None:
    """End a collector and its workers as a power cut would."""
    assert collector.process is not None
    parent = psutil.Process(collector.process.pid)
    for process in (parent, *parent.children()):
        with contextlib.suppress(psutil.NoSuchProcess):  # a worker ends by itself, once its parent has
            process.kill()
    collector.kill()


def counted_events(tables: Database) -> int:
    return int(tables.all("SELECT coalesce(SUM(n), 0) FROM daily")[0][0])


def stored(database: str) -> list[str]:
    """The messageIds that are there, each counted once."""
    with contextlib.closing(open_stores(database)) as stores:
        # On PostgreSQL, a session of one who was killed may be about to count.
        until(lambda: not stores.events.fold() and stores.events.counted_until() is None)
        found = [json.loads(body)["messageId"] for piece in stores.events.export() for _, body in piece]
        assert stores.events.recount(lambda _: None) == 0
        listed = stores.control.all("SELECT coalesce(sum(n), 0) FROM daily")[0][0]
        assert int(listed) == len(found)
    return found


@pytest.mark.timeout(3600)
def test_kill_9_under_load_loses_nothing_that_was_acknowledged(
    start: Callable[..., Collector], database: str, slow: bool
) -> None:
    """Of one collector, or of two with two workers each; and of what counts beside them."""
    shared = database.startswith("postgresql")
    settings = {"ROLLCALL_COLLECTOR_WORKERS": "2"} if shared else {}
    collectors = [start(database, **settings) for _ in range(1 + shared)]
    senders = [
        Sender(collectors, n, make=lambda count: [*beats(count), *narrow_beats(count)]) for n in range(4)
    ]
    with contextlib.closing(open_database(database)) as tables, sending(senders):
        counted = partial(counted_events, tables)
        for number in range(50 if slow else 5):
            folding = subprocess.Popen([sys.executable, "-c", FOLDING, database], cwd=ROOT)
            before, seen = counted(), acknowledged_by(senders)
            until(lambda before=before: counted() > before)  # type: ignore[misc]
            until(lambda seen=seen: acknowledged_by(senders) > seen + 200)  # type: ignore[misc]
            victim = collectors[number % len(collectors)]
            kill_with_workers(victim)
            folding.kill()
            folding.wait(PATIENCE)
            victim.start()
    for collector in collectors:
        kill_with_workers(collector)
    with contextlib.closing(open_database(database)) as tables:
        assert narrow(tables) > 0
    found = stored(database)
    assert set(ids_of(senders)) <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.needs("postgresql")
def test_two_collectors_on_one_postgresql_keep_the_same_events_once(
    start: Callable[..., Collector], cluster: Cluster
) -> None:
    database = cluster.database()
    both = [start(database), start(database)]
    everything = [json.dumps(one) for one in beats(3000)]
    senders = [Sender(both, n, everything, make=lambda _: []) for n in range(4)]
    with sending(senders):
        pass
    assert [sender.refused for sender in senders] == [0] * 4
    assert sorted(stored(database)) == ids_of(senders)
    tables = open_database(database)
    assert tables.all("SELECT sum(beats) FROM instances") == [(3000,)]
    assert [int(n) for (n,) in tables.all("SELECT sum(n) FROM active WHERE n > 0 AND span = 7")] == [7]
    tables.close()


@pytest.mark.needs("postgresql")
def test_postgresql_may_stop_and_start_under_load(start: Callable[..., Collector]) -> None:
    own = Cluster()
    try:
        own.start()
        database = own.database()
        collector = start(database)
        senders = [Sender([collector], n, make=beats) for n in range(4)]
        with sending(senders):
            for _ in range(2):
                seen = acknowledged_by(senders)
                until(lambda seen=seen: acknowledged_by(senders) > seen)  # type: ignore[misc]
                own.stop()
                until(lambda: collector.post("/v1/batch", {"batch": beats(1)}).status == 503)
                until(lambda: collector.get("/readyz").status == 503)
                assert collector.get("/healthz").status == 200
                own.start()
                until(lambda: collector.get("/readyz").status == 200)
        assert {said for sender in senders for said in sender.refusals} == {BUSY}
        collector.stop()
        assert set(ids_of(senders)) <= set(stored(database))
    finally:
        own.remove()


@pytest.mark.needs("postgresql")
def test_a_database_that_stands_still_is_503_in_time(
    start: Callable[..., Collector], cluster: Cluster
) -> None:
    """Also for a key that is looked up first; what waits longer fills the memory."""
    database = cluster.database()
    collector = start(database, ROLLCALL_COLLECTOR_TIMEOUT="1")
    key = collector.verb("keys", "add", "late").stdout.strip()
    tables = open_database(database)
    with tables.transaction() as tx:
        tx.execute("LOCK TABLE write_keys IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        assert collector.post("/v1/track", {"event": "x", "userId": "u"}, key=key).status == 503
        assert time.monotonic() - began < 25  # PostgreSQL itself ends a statement after 30
    tables.close()
    until(lambda: collector.post("/v1/track", {"event": "x", "userId": "u"}, key=key).status == 200)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.needs("root", "unshare")
def test_a_full_disk_is_503_and_passes(start: Callable[..., Collector], small_disk: Path) -> None:
    collector = start(f"sqlite:///{small_disk}/c.db", ROLLCALL_COLLECTOR_DISK_FREE="0")
    acknowledged: set[str] = set()
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    reply = collector.get("/readyz")
    for _ in range(500):
        batch = beats(50)
        reply = collector.post("/v1/batch", {"batch": batch})
        if reply.status != 200:
            break
        acknowledged.update(event["messageId"] for event in batch)
    assert acknowledged
    assert reply.status == 503
    assert reply.headers["Retry-After"]
    ballast.unlink()
    late = beats(1)
    until(lambda: collector.post("/v1/batch", {"batch": late}).status == 200)
    assert {event["messageId"] for event in collector.export()} >= acknowledged | {late[0]["messageId"]}
    with sqlite3.connect(small_disk / "c.db") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()
    assert "accepts no events" in collector.stop()


def test_a_database_that_another_process_holds_is_503_and_passes(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    collector = start(f"sqlite:///{tmp_path}/c.db", ROLLCALL_COLLECTOR_TIMEOUT="1")
    batch = {"batch": beats(3)}
    other = sqlite3.connect(tmp_path / "c.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    reply = collector.post("/v1/batch", batch)
    assert (reply.status, bool(reply.headers["Retry-After"])) == (503, True)
    assert collector.get("/readyz").status == 200  # what is there can be read
    other.execute("ROLLBACK")
    other.close()
    until(lambda: collector.post("/v1/batch", batch).status == 200)
    assert len(stored(collector.database)) == 3


def test_a_second_collector_on_one_sqlite_file_refuses_in_a_line(collector: Collector) -> None:
    done = collector.verb("serve", "--listen", "127.0.0.1:0", code=1)
    assert "another collector already uses" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.serial
def test_twenty_fleets_of_a_million_are_served(collector: Collector, slow: bool) -> None:
    seconds = 60 if slow else 10
    collector.stop()
    collector.covered = False
    collector.start()
    load = ["-m", "bench.load", str(collector.port), collector.key, "64", str(seconds), "920", "0"]
    done = subprocess.run(
        [sys.executable, *load],
        env=collector.environ(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 60,
    )
    result = json.loads(done.stdout)
    assert result["statuses"] == {"200": 920 * seconds}, result
    assert result["lost"] == 0
    collector.stop()
    assert len(stored(collector.database)) == 920 * seconds


def narrow(tables: Database) -> int:
    return sum(int(tables.all(f"SELECT COUNT(*) FROM beats_{day}")[0][0]) for day in all_days(tables))


@pytest.mark.timeout(3600)
def test_an_old_database_is_renewed_while_the_collector_serves(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    slow: bool,
) -> None:
    """No request is refused, and it goes on after each of two kills."""
    count = 1_000_000 if slow else 10_000
    leave_old_database(database, old_beats(count, count // 40, int(time.time() * 1000)), monkeypatch)
    port = unused_port()
    with contextlib.closing(open_database(database)) as tables, contextlib.ExitStack() as ends:
        left = partial(narrowing.old_events_left, tables)
        collector = Collector(tmp_path, database, ROLLCALL_COLLECTOR_DAILY="0")  # the long form sends more
        collector.key = collector.verb("keys", "add", "test").stdout.strip()  # else it would take its time
        ends.callback(collector.kill)
        collector.start(f"127.0.0.1:{port}")
        # They send four times what a million instances do.
        senders = [Sender([collector], n, make=beats, fresh=20, pause=0.2) for n in range(2)]
        with sending(senders):
            for _ in range(2):
                before = left()
                until(lambda before=before: left() < before)  # type: ignore[misc]
                collector.kill()
                assert left() > 0
                collector.start(f"127.0.0.1:{port}")
            until(lambda: left() == 0, 3600 if slow else 120)
        collector.stop()
        found, acknowledged = stored(database), ids_of(senders)  # every counter is as a recount makes it
        assert [sender.refusals for sender in senders] == [set()] * 2
        assert len(found) == len(set(found))
        assert acknowledged
        assert set(acknowledged) <= set(found)
        assert narrow(tables) == count

"""Several processes that serve on one port."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import re
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench import load
from tests.collector.bouncer import Bouncer
from tests.collector.cluster import Cluster
from tests.collector.running import SECONDS, Collector, event
from tests.wait import until

pytestmark = [pytest.mark.once, pytest.mark.needs("postgresql")]
WORKERS = 3
Start = Callable[..., Collector]


@pytest.fixture
def together(start: Start, cluster: Cluster) -> Collector:
    return start(cluster.database(), ROLLCALL_COLLECTOR_WORKERS=str(WORKERS))


def workers(collector: Collector) -> list[psutil.Process]:
    assert collector.process is not None
    return psutil.Process(collector.process.pid).children()


def wait_for_workers(collector: Collector) -> None:
    """Until all of them listen."""
    until(lambda: len([one for one in workers(collector) if listens(one, collector.port)]) == WORKERS)


def listens(process: psutil.Process, port: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(c.status == "LISTEN" and c.laddr.port == port for c in process.net_connections())
    return False


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more, also where nobody has taken note of that yet."""
    with contextlib.suppress(psutil.NoSuchProcess):  # it may go between the two questions
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def meter(collector: Collector, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (.*)$", collector.get("/metrics").body.decode(), re.MULTILINE)
    assert found, name
    return float(found[1])


def files_of_meters(collector: Collector) -> list[Path]:
    opened = (file.path for one in workers(collector) for file in one.open_files())
    folder = Path(next(path for path in opened if path.endswith(".db"))).parent
    return list(folder.glob("*.db"))


def owners_of_meters(collector: Collector) -> set[str]:
    """What stands in the names of the files of meters for their workers."""
    return {path.stem.rpartition("_")[2] for path in files_of_meters(collector)}


def send(collector: Collector, batches: int, size: int = 5) -> None:
    for _ in range(batches):
        assert collector.post("/v1/batch", {"batch": [event() for _ in range(size)]}).status == 200


def ready(collector: Collector) -> bool:
    """A worker that dies cuts off the connections that it has not looked at."""
    with contextlib.suppress(OSError):
        return collector.get("/readyz").status == 200
    return False


def test_all_workers_serve_and_their_meters_are_added_up(together: Collector) -> None:
    assert len(workers(together)) == WORKERS
    assert psutil.Process(workers(together)[0].ppid()).num_threads() == 1  # so it may fork at any time
    wait_for_workers(together)
    send(together, 40)
    received = 'rollcall_events_received_total{source="test"}'
    requests = 'rollcall_request_seconds_count{path="/v1/batch",status="200"}'
    assert {meter(together, received) for _ in range(10)} == {200}
    assert meter(together, requests) == 40
    until(lambda: meter(together, "rollcall_events_stored") == 200)
    assert meter(together, "rollcall_store_up") == meter(together, "rollcall_taking_events") == 1
    busy = [sum(one.cpu_times()[:2]) for one in workers(together)]
    assert min(busy) > 0
    assert len(together.export()) == 200


def test_a_disk_that_fills_ends_no_worker_by_its_meters(together: Collector) -> None:
    """They are written as memory: for a page that the disk has no room for, the kernel sends SIGBUS."""
    wait_for_workers(together)
    send(together, 1)
    sizes = [path.stat() for path in files_of_meters(together)]
    assert len(sizes) >= 2 * WORKERS
    assert [size for size in sizes if size.st_blocks * 512 < size.st_size] == []


def test_a_worker_that_dies_starts_again_and_what_was_counted_stays(together: Collector) -> None:
    wait_for_workers(together)  # each has its meters then
    send(together, 40)
    until(lambda: meter(together, "rollcall_events_stored") == 200)
    before = {one.pid for one in workers(together)}
    os.kill(min(before), signal.SIGKILL)
    until(lambda: len({one.pid for one in workers(together)} - before) == 1)
    wait_for_workers(together)
    send(together, 20)
    until(lambda: meter(together, "rollcall_events_stored") == 300)
    assert meter(together, 'rollcall_events_received_total{source="test"}') == 300
    until(lambda: owners_of_meters(together) == {"0", "1", "2"})  # no more with each restart
    said = together.stop()
    assert "ended: SIGKILL; it starts again in 0.5 s" in said


def test_a_worker_that_dies_again_and_again_starts_less_often(together: Collector) -> None:
    for _ in range(2):
        before = {one.pid for one in workers(together)}
        oldest = min(workers(together), key=lambda one: one.create_time())
        number = oldest.pid
        os.kill(number, signal.SIGKILL)
        until(lambda before=before: {one.pid for one in workers(together)} - before)  # type: ignore[misc]
    for _ in range(2):
        newest = max(workers(together), key=lambda one: one.create_time())
        os.kill(newest.pid, signal.SIGKILL)
        until(lambda gone=newest.pid: gone not in {one.pid for one in workers(together)})  # type: ignore[misc]
        until(lambda: len(workers(together)) == WORKERS)
    pauses = re.findall(r"starts again in ([0-9.]+) s", together.stop())
    assert pauses == ["0.5", "0.5", "1", "2"]


def test_a_worker_that_finds_no_database_says_why_and_tries_again(start: Start) -> None:
    own = Cluster()
    try:
        own.start()
        collector = start(own.database(), ROLLCALL_COLLECTOR_WORKERS=str(WORKERS))
        own.stop()
        before = {one.pid for one in workers(collector)}
        os.kill(min(before), signal.SIGKILL)
        seen: set[int] = set()

        def has_tried() -> bool:
            """The worker after it is there: the first one has found no database."""
            seen.update(one.pid for one in workers(collector))
            return len(seen - before) > 1

        until(has_tried)
        own.start()
        wait_for_workers(collector)
        until(lambda: collector.post("/v1/track", event()).status == 200)
        assert re.search(r"worker \d: PostgreSQL: .*Connection refused", collector.stop())
    finally:
        own.remove()


@contextlib.contextmanager
def sending(collector: Collector, threads: int = 4) -> Iterator[list[str]]:
    """Send heartbeats and other events all the time; the ids that were acknowledged so far."""
    acknowledged: list[str] = []
    ending = threading.Event()

    def send_on() -> None:
        while not ending.is_set():
            batch = [event() for _ in range(3)] + [beat() for _ in range(3)]
            with contextlib.suppress(OSError, http.client.HTTPException):
                if collector.post("/v1/batch", {"batch": batch}).status == 200:
                    acknowledged.extend(str(one["messageId"]) for one in batch)

    senders = [threading.Thread(target=send_on) for _ in range(threads)]
    for one in senders:
        one.start()
    try:
        yield acknowledged
    finally:
        ending.set()
        for one in senders:
            one.join(SECONDS)


def beat() -> dict[str, Any]:
    now = int(time.time() * 1000)
    return load.beat(0, now) | {"anonymousId": (who := str(uuid.uuid4())), "properties": {"instanceId": who}}


def test_a_stop_loses_nothing_and_leaves_no_process(together: Collector) -> None:
    before = workers(together)
    with sending(together) as acknowledged:
        until(lambda: len(acknowledged) > 120)
        together.stop()
    assert not any(one.is_running() for one in before)
    assert {one["messageId"] for one in together.export()} >= set(acknowledged)


def test_workers_end_when_their_parent_was_killed(together: Collector) -> None:
    before = workers(together)
    together.kill()
    until(lambda: all(has_ended(one) for one in before))


def test_a_key_has_one_rate_at_all_workers(start: Start, cluster: Cluster) -> None:
    collector = start(
        cluster.database(), ROLLCALL_COLLECTOR_WORKERS=str(WORKERS), ROLLCALL_COLLECTOR_RATE="0.5"
    )
    wait_for_workers(collector)
    began, statuses, ends = time.monotonic(), list[int](), list[float]()
    for _ in range(80):
        statuses.append(collector.post("/v1/track", event()).status)
        ends.append(time.monotonic())
    # Five may come at once at each worker; from then on each knows what came in at the others.
    assert set(statuses) == {200, 429}
    assert statuses[-20:].count(200) <= 5 + 0.5 * (ends[-1] - ends[-20])
    assert statuses.count(200) <= 5 * WORKERS + 20 + 0.5 * (ends[-1] - began)


def test_what_a_killed_server_left_goes_with_the_next_start_and_a_neighbours_stays(
    start: Start, cluster: Cluster, tmp_path: Path
) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    settings = {"ROLLCALL_COLLECTOR_WORKERS": "2", "TMPDIR": str(place)}
    neighbour = start(cluster.database(), **settings)
    (its,) = place.iterdir()
    killed = start(cluster.database(), **settings)
    crew = workers(killed)
    (left,) = set(place.iterdir()) - {its}
    killed.kill()
    assert psutil.wait_procs(crew, SECONDS)[1] == []
    assert left.exists()
    again = start(cluster.database(), **settings)
    assert not left.exists()
    assert its.exists()
    assert neighbour.get("/metrics").status == 200
    for one in (again, neighbour):
        one.stop()
    assert list(place.iterdir()) == []


@pytest.mark.needs("pgbouncer")
def test_workers_behind_pgbouncer_lose_and_double_nothing_when_they_are_killed(
    start: Start, cluster: Cluster, bouncer: Bouncer, slow: bool
) -> None:
    collector = start(bouncer.behind(cluster.database()), ROLLCALL_COLLECTOR_WORKERS=str(WORKERS))
    with sending(collector) as acknowledged:
        for _ in range(50 if slow else 5):
            seen = len(acknowledged)
            until(lambda seen=seen: len(acknowledged) > seen + 30)  # type: ignore[misc]
            os.kill(random.choice(workers(collector)).pid, signal.SIGKILL)
    until(lambda: ready(collector))
    collector.stop()
    found = [one["messageId"] for one in collector.export()]
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert "every counter is right" in collector.verb("recount").stderr


def test_a_port_that_is_in_use_is_refused(together: Collector) -> None:
    done = together.verb("serve", "--listen", f"127.0.0.1:{together.port}", code=1)
    assert "Address already in use" in done.stderr


def test_systemd_hears_of_all_workers_from_their_parent(cluster: Cluster, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(SECONDS)
        settings = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "ROLLCALL_COLLECTOR_WORKERS": str(WORKERS)}
        collector = Collector(tmp_path, cluster.database(), **settings).start()
        try:
            assert told.recv(100).startswith(b"READY=1")
            collector.stop()
            assert told.recv(100) == b"STOPPING=1"
            told.setblocking(False)
            with pytest.raises(BlockingIOError):
                told.recv(100)
        finally:
            collector.kill()


def test_sqlite_has_one_process_and_says_so(idle: Collector) -> None:
    done = idle.verb("serve", "--workers", "2", code=2)
    assert "--workers from the command line: one process writes an SQLite file" in done.stderr


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Whatever a test does to the parent."""
    yield
    assert [one for one in psutil.Process().children(recursive=True) if is_server(one)] == []


def is_server(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):  # some other one that ends meanwhile
        line = process.cmdline()
        return "serve" in line and "collector" in " ".join(line)
    return False

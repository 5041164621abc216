"""A disk that gets full: events are refused before it is, and taken again when there is room."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from collector.ingest.disk import DiskGuard, DiskWatch
from collector.serve import server
from collector.settings import PREFIX, Settings, read_settings
from collector.store import EventStore, Stores, open_stores
from collector.store.values import Space
from collector.verbs import serving
from tests.collector.cluster import Cluster
from tests.collector.running import Collector, Reply, event
from tests.wait import PATIENCE, until

MIB = 2**20
SECONDS = PATIENCE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def free(place: Path) -> int:
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize


def send(collector: Collector) -> Reply:
    text = random.Random().randbytes(15_000).hex()
    return collector.post("/v1/batch", {"batch": [event(p=text) for _ in range(10)]})


def fill(collector: Collector) -> Reply:
    """Send until it is refused, and return the refusal."""
    for _ in range(1000):
        if (reply := send(collector)).status != 200:
            return reply
    raise AssertionError("nothing was refused")


def check_refusal(collector: Collector, reply: Reply, why: str) -> None:
    """Everybody who asks is told that and why no events are taken."""
    assert (reply.status, reply.json()["code"]) == (503, "no_room")
    assert int(reply.headers["Retry-After"]) > 1
    ready = collector.get("/readyz")
    assert (ready.status, why in ready.body.decode()) == (503, True)
    assert "rollcall_taking_events 0.0" in collector.get("/metrics").body.decode()
    shown = collector.get("/overview", Cookie=collector.setup_cookie()).body.decode()
    assert "No events are taken" in shown
    assert why in shown


def check_recovery(collector: Collector, why: str) -> None:
    assert until(lambda: send(collector).status == 200, SECONDS)
    assert collector.get("/readyz").status == 200
    said = collector.stop()
    assert said.count("no events are taken: ") == 1
    assert why in said
    assert said.count("there is room again") == 1


@pytest.mark.needs("root")
def test_a_disk_is_never_filled_and_a_purge_makes_room(
    start: Callable[..., Collector], small_disk: Path
) -> None:
    collector = start(f"sqlite:///{small_disk}/c.db", ROLLCALL_COLLECTOR_DISK_FREE="32M")
    check_refusal(collector, fill(collector), "DISK_FREE is 32 MiB")
    assert 20 * MIB < free(small_disk) < 33 * MIB
    collector.verb("purge", "--older-than", "0s")
    check_recovery(collector, "DISK_FREE is 32 MiB")


def test_a_database_of_bounded_size_is_used_again_after_a_purge(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    collector = start(f"sqlite:///{tmp_path}/c.db", ROLLCALL_COLLECTOR_MAX_DB="4M")
    check_refusal(collector, fill(collector), "MAX_DB is 4 MiB")
    collector.verb("purge", "--older-than", "0s")
    assert (tmp_path / "c.db").stat().st_size >= 4 * MIB
    check_recovery(collector, "MAX_DB is 4 MiB")


def test_what_was_deleted_counts_as_room_though_the_file_keeps_its_size(
    idle: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "".join(json.dumps(event(p=random.Random(n).randbytes(15_000).hex())) + "\n" for n in range(100))
    idle.verb("import", "--source", "s", "-", stdin=lines)
    disk = os.statvfs(idle.home)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)  # others write to it and delete meanwhile
    with closing(open_stores(idle.database)) as stores:
        full = stores.events.space()
        idle.verb("purge", "--older-than", "0s")
        empty = stores.events.space()
        assert full.used - empty.used > 2 * MIB
        assert (empty.free or 0) - free(idle.home) > 2 * MIB


@pytest.mark.needs("postgresql")
def test_a_database_of_postgresql_has_a_bound_too(start: Callable[..., Collector], cluster: Cluster) -> None:
    database = cluster.database()
    collector = start(database, ROLLCALL_COLLECTOR_MAX_DB="16M")
    check_refusal(collector, fill(collector), "MAX_DB is 16 MiB")
    collector.verb("purge", "--older-than", "0s")
    vacuum(database)
    check_recovery(collector, "MAX_DB is 16 MiB")


def vacuum(database: str) -> None:
    """What an administrator of PostgreSQL does to give space back."""
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM FULL")


class Frozen:
    """A store that says what it takes when it has thawed."""

    def __init__(self) -> None:
        self.thawed = threading.Event()
        self.asked = self.answered = 0

    def space(self) -> Space:
        self.asked += 1
        self.thawed.wait(SECONDS)
        self.answered += 1
        return Space(2 * MIB, None)


def test_a_store_that_does_not_answer_holds_up_neither_start_nor_page() -> None:
    store = Frozen()
    settings = read_settings({PREFIX + "MAX_DB": "1M", "HOME": "/nowhere"})
    watch = DiskWatch(settings, cast(EventStore, store))
    try:
        DiskGuard(watch)
        assert [watch.look(), watch.look(again=True)] == ["", ""]
        assert (store.asked, store.answered) == (1, 0)
    finally:
        store.thawed.set()
    assert until(lambda: "MAX_DB is 1 MiB" in watch.look(), SECONDS)


class Slow(Frozen):
    """A store that says what it takes late: the look at the disk goes on at a stop."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def space(self) -> Space:
        self.thawed.wait(0.5)
        self.done.append("looked")
        return Space(0, None)

    def close(self) -> None:
        self.done.append("closed")
        self.thawed.set()


def test_a_stop_waits_for_the_one_look_at_the_disk_before_it_closes_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, control = Slow(), open_stores(f"sqlite:///{tmp_path}/c.db").control

    def serve_requests(_: Settings, __: Stores, disk: DiskWatch, *others: Any) -> None:
        disk._begin()
        assert others[3]._frame._disk is disk

    monkeypatch.setattr(server, "serve_requests", serve_requests)
    ours = Stores(control, cast(EventStore, store))
    serving._serve_requests(read_settings({"HOME": "/nowhere"}), ours, cast(socket.socket, None), print)
    assert store.done == ["looked", "closed"]

"""Databases and running collectors for the tests of the collector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from collector.store import ControlStore, Stores, open_database
from collector.store.database import Database
from collector.store.sql.store import SqlEventStore
from tests.collector.bouncer import Bouncer
from tests.collector.clickhouse import Debians, Today
from tests.collector.cluster import Cluster
from tests.collector.running import Collector
from tests.wait import until

# A server answers alike whatever Python asks. tests/collector/store/test_connections.py asks it on each.
POSTGRESQL = [pytest.mark.once, pytest.mark.needs("postgresql")]
BOTH = [pytest.param("sqlite"), pytest.param("postgresql", marks=POSTGRESQL)]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    made.start()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def bouncer(cluster: Cluster) -> Iterator[Bouncer]:
    made = Bouncer(cluster)
    yield made
    made.remove()


@pytest.fixture(scope="session")
def chdb() -> Iterator[Today]:
    made = Today()
    made.start()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def clickhouse() -> Iterator[Debians]:
    made = Debians()
    made.start()
    yield made
    made.remove()


def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database of the kind that the fixture's parameter names."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/collector.db"
    made: Cluster = request.getfixturevalue("cluster")
    return made.database()


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database, once for each kind."""
    return new_database(request, tmp_path)


@pytest.fixture
def tables(database: str) -> Iterator[Database]:
    """The database itself, for a test that looks into tables."""
    opened = open_database(database)
    yield opened
    opened.close()


@pytest.fixture
def stores(tables: Database) -> Stores:
    """Both stores in that database."""
    return Stores(ControlStore(tables), SqlEventStore(tables))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start collectors on a database; they end with the test."""
    started: list[Collector] = []

    def begin(database: str, **settings: str) -> Collector:
        started.append(Collector(tmp_path, database, **settings))
        return started[-1].start()

    yield begin
    try:
        for collector in started:
            collector.stop()
    finally:
        for collector in started:
            collector.kill()


@pytest.fixture
def collector(start: Callable[..., Collector], tmp_path: Path) -> Collector:
    """A running collector on a new SQLite database."""
    return start(f"sqlite:///{tmp_path}/collector.db")


@pytest.fixture
def idle(tmp_path: Path) -> Collector:
    """A database without a server."""
    return Collector(tmp_path, f"sqlite:///{tmp_path}/collector.db")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One that many tests may ask, and that waits for who is slow on a busy machine."""
    yield from _shared(tmp_path_factory.mktemp("collector"), "600")


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One that soon cuts off who is slow."""
    yield from _shared(tmp_path_factory.mktemp("collector"), "2")


def _shared(home: Path, seconds: str) -> Iterator[Collector]:
    started = Collector(home, f"sqlite:///{home}/c.db", ROLLCALL_COLLECTOR_TIMEOUT=seconds).start()
    try:
        yield started
        until(lambda: _takes_an_event(started), why="it still takes events")
        said = started.stop()
    finally:
        started.kill()
    assert "still there" not in said
    assert started.key not in said
    assert "Traceback" not in said


def _takes_an_event(collector: Collector) -> bool:
    """Whether one is stored. Where it waits for a busy disk, a hasty collector may say no."""
    with suppress(OSError, HTTPException):
        return collector.post("/v1/track", {"event": "still there", "userId": "u"}).status == 200
    return False

"""The event store that a test asks; once for each engine in `BOTH` of tests/collector/conftest.py.

And for a PostgreSQL behind PgBouncer, where each transaction may meet another connection, and for ClickHouse.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.store import EventStore, open_stores
from tests.collector.conftest import BOTH, POSTGRESQL

BOUNCED = pytest.param("pgbouncer", marks=[*POSTGRESQL, pytest.mark.needs("pgbouncer")])
# ClickHouse's today's engine, and Debian's server of 2018. The control store beside it is SQLite.
TODAY = pytest.param("chdb", marks=[pytest.mark.once, pytest.mark.timeout(600)])  # it is a large download
DEBIANS = pytest.param("clickhouse", marks=[pytest.mark.once, pytest.mark.needs("clickhouse")])

# Which of the two a test runs on, where time is short.
TESTED_ON = {
    "test_deletion": "clickhouse",
    "test_environments": "clickhouse",
    "test_expiry": "clickhouse",
    "test_keeping": "chdb",
    "test_questions": "chdb",
}


@pytest.fixture(params=[*BOTH, BOUNCED, TODAY, DEBIANS])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def database(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database for the control store, once for each way to it."""
    if engine not in ("postgresql", "pgbouncer"):
        return f"sqlite:///{tmp_path}/collector.db"
    made: str = request.getfixturevalue("cluster").database()
    return request.getfixturevalue("bouncer").behind(made) if engine == "pgbouncer" else made


@pytest.fixture
def events(engine: str, database: str, request: pytest.FixtureRequest) -> Iterator[EventStore]:
    own = request.getfixturevalue(engine).database() if engine in ("chdb", "clickhouse") else ""
    with closing(open_stores(database, own)) as stores:
        yield stores.events


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A question takes ClickHouse long, even with a hundred events: each test runs on one of the two.

    With --slow it runs on both, and with every seed.
    """
    for item in items:
        values = (
            item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        engine = values.get("engine")
        if engine in ("chdb", "clickhouse"):
            there = TESTED_ON.get(item.path.stem) == engine
            if not there or values.get("seed") or "comes_again" in item.name:
                item.add_marker(pytest.mark.slow)

"""The event store that a test asks; once for each engine in `BOTH` of tests/collector/conftest.py.

And once more for a PostgreSQL behind PgBouncer, where each transaction may meet another connection.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.store import EventStore, Stores
from tests.collector.conftest import BOTH

BOUNCED = pytest.param("pgbouncer", marks=pytest.mark.needs("postgresql", "pgbouncer"))


@pytest.fixture(params=[*BOTH, BOUNCED])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database, once for each way to it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/collector.db"
    made: str = request.getfixturevalue("cluster").database()
    return request.getfixturevalue("bouncer").behind(made) if request.param == "pgbouncer" else made


@pytest.fixture
def events(stores: Stores) -> EventStore:
    return stores.events

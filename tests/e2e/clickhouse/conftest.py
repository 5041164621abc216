"""The cluster, once for the tests that run in one process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.clickhouse.cluster import ClickHouseCluster


@pytest.fixture(scope="session")
def fleet() -> Iterator[ClickHouseCluster]:
    made = ClickHouseCluster()
    try:
        made.start()
        yield made
    finally:
        made.remove()

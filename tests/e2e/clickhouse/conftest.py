"""Clusters: one for the tests that run in one process, and one for those that need it unharmed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.clickhouse.cluster import ClickHouseCluster


@contextmanager
def started() -> Iterator[ClickHouseCluster]:
    made = ClickHouseCluster()
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def fleet() -> Iterator[ClickHouseCluster]:
    with started() as made:
        yield made


@pytest.fixture(scope="module")
def unharmed() -> Iterator[ClickHouseCluster]:
    """One in which nothing was killed or frozen: a deletion in the other now and then waits for minutes."""
    with started() as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails tells what the servers had left to do."""
    report = yield
    for made in item.funcargs.values():
        if call.excinfo and isinstance(made, ClickHouseCluster):
            report.sections.append(("what the servers had left to do", made.left()))
    return report

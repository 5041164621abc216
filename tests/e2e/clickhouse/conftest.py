"""One cluster for all tests that run in one process."""

from __future__ import annotations

from collections.abc import Generator, Iterator

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

"""A collector, and the libraries that real applications send with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.running import Collector
from tests.environments import environment
from tests.npm import installed

HERE = Path(__file__).parent


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    started = Collector(tmp_path, f"sqlite:///{tmp_path}/collector.db").start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def javascript() -> Path:
    """The folder with node_modules."""
    return installed("contract", *(HERE / name for name in ("package.json", "package-lock.json", ".npmrc")))


@pytest.fixture(scope="session")
def old_python_library() -> Path:
    """A Python with analytics-python 1.4, which needs other versions than the libraries of today."""
    return environment("contract-old")


@pytest.fixture(scope="session")
def product() -> Path:
    """A Python with a product of somebody else's, which sends by Segment's library."""
    return environment("contract-product")

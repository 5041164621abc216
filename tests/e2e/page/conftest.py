"""A collector with a demo year in it, a browser, and axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.collector.running import Collector
from tests.e2e.page.browser import chromium
from tests.npm import installed

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector on a made-up year, and a second, small source."""
    home = tmp_path_factory.mktemp("page")
    collector = Collector(home, f"sqlite:///{home}/collector.db")
    for arguments in (("--instances", "60"), ("--instances", "3", "--source", "staging", "--seed", "2")):
        collector.verb("demo-data", *arguments)
    yield collector.start()
    collector.stop()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Collector]:
    collector = Collector(tmp_path, f"sqlite:///{tmp_path}/collector.db").start()
    yield collector
    collector.stop()


@pytest.fixture(scope="session")
def axe() -> Path:
    """axe-core's one file."""
    return installed("axe", HERE / "package.json") / "node_modules" / "axe-core" / "axe.min.js"

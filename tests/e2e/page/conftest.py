"""A collector with a demo year in it, a browser, and axe-core."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from collector.alerts.book import CALM_MS, note_troubles
from collector.alerts.troubles import Trouble
from collector.public.numbers import set_public
from collector.public.publisher import Publisher
from collector.store import open_stores
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
    _add_alerts_and_public_numbers(collector.database)
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


def _add_alerts_and_public_numbers(database: str) -> None:
    """An alert that goes on, one that is over, and a public page."""
    now, trouble = (
        int(time.time() * 1000),
        Trouble("help", "", "Somebody is waiting", "1 person.", "/support"),
    )
    with closing(open_stores(database)) as stores:
        note_troubles(stores.control, 1, "demo", [trouble], now - 2 * CALM_MS)
        note_troubles(stores.control, 1, "demo", [], now - CALM_MS)
        note_troubles(stores.control, 1, "demo", [trouble], now)
        set_public(stores.control, "demo", now, public=True, by="test")
        Publisher(stores).publish()

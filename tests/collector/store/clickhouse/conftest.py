"""A store on a database of its own, and a client that looks into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.store import EventStore, open_stores
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.client import Client
from tests.collector.clickhouse import Debians


@pytest.fixture
def url(clickhouse: Debians) -> str:
    return clickhouse.database()


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Iterator[Callable[[], EventStore]]:
    """Opens the store, again if need be."""
    stores = []

    def open_it() -> EventStore:
        stores.append(open_stores(f"sqlite:///{tmp_path}/control.db", url))
        return stores[-1].events

    yield open_it
    for one in stores:
        one.close()


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with closing(Client(read_address(url))) as made:
        yield made

"""Pages to ask, over a store with a source in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.admin import users
from collector.admin.keys import source_named
from collector.ingest import decode
from collector.store import Stores, open_stores
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.monday import Monday

PASSWORD = "correct horse battery"
REAL_COST = users.COST


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash takes a third of a second; where that is what counts, a test sets the real cost."""
    monkeypatch.setattr(users, "COST", users.Cost(16, 1, 1))


@pytest.fixture
def page_stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(f"sqlite:///{tmp_path}/page.db")
    yield stores
    stores.close()


@pytest.fixture(scope="module")
def monday(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monday]:
    with closing(open_stores(f"sqlite:///{tmp_path_factory.mktemp('monday')}/page.db")) as stores:
        yield Monday(stores)


@pytest.fixture
def client(page_stores: Stores) -> PageClient:
    return PageClient(page_stores)


@pytest.fixture
def send(page_stores: Stores) -> Callable[..., None]:
    """Let events land in a source."""

    def land(*events: dict[str, Any], source: str = "product") -> None:
        with page_stores.control.transaction() as tx:
            number = source_named(tx, source, 0)
        page_stores.events.keep([decode.read_event(event, "track", number, NOW) for event in events])

    return land


@pytest.fixture
def viewer(page_stores: Stores) -> str:
    users.add_user(page_stores.control, "vera", "viewer", PASSWORD, 0)
    return "vera"


@pytest.fixture
def helper(page_stores: Stores) -> str:
    users.add_user(page_stores.control, "sam", "support", PASSWORD, 0)
    return "sam"

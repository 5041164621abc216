"""Lists that are longer than a page: each thing is on one page of them, once."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from collector.admin.keys import source_named
from collector.ingest import decode
from collector.store import Store
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import INSTANCE, event

MANY = 120
OLDER = re.compile(r'<p class="more"><a href="([^"#]*)')


def everything(client: PageClient, address: str, table: str) -> list[dict[str, Any]]:
    """The rows of every page, by following the link to the earlier one."""
    rows: list[dict[str, Any]] = []
    while address:
        path, _, query = address.partition("?")
        data = client.get(f"{path}.json?{query}").json()
        rows += data["tables"][table]
        older = OLDER.search(client.get(address).text)
        address = unescape(older[1]) if older else ""
        assert (data["older"] is None) == (older is None)
    return rows


def one(_: int) -> dict[str, Any]:
    return event("deploy")


@pytest.mark.parametrize(
    ("address", "table"),
    [
        ("/events", "events"),
        ("/events?event=deploy", "events"),
        (f"/events?instance={INSTANCE}", "events"),
        (f"/events?instance={INSTANCE}&event=Instance+Active", "events"),
        ("/instances", "instances"),
    ],
)
def test_what_happened_in_the_same_moment_is_on_one_page_each(store: Store, address: str, table: str) -> None:
    """As the events of a batch without times of their own."""
    kinds: dict[str, Callable[[int], dict[str, Any]]] = {
        "/events?event=deploy": lambda n: {"event": "deploy", "anonymousId": f"a{n}"},
        "/instances": lambda n: {**event("Installation Started"), "anonymousId": f"a{n}"},
        f"/events?instance={INSTANCE}&event=Instance+Active": lambda _: event("Instance Active"),
    }
    made = kinds.get(address, one)
    with store.transaction() as tx:
        source = source_named(tx, "product", 0)
    store.add(
        [decode.read_event({**made(n), "messageId": f"m{n}"}, "track", source, NOW) for n in range(MANY)]
    )
    rows = everything(PageClient(store), address, table)
    assert len(rows) == len({str(row) for row in rows}) == MANY

"""Every link of every view leads somewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from collector.admin.keys import source_named
from collector.base.times import DAY_MS
from collector.ingest import decode
from collector.page.period import iso
from collector.page.views import VIEWS
from collector.store import Stores, open_stores
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.made_fleet import in_environment, made_fleet

LINK = re.compile(r'href="(/[^"#]*)')

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Two sources, so that links name theirs."""
    with closing(open_stores(f"sqlite:///{tmp_path_factory.mktemp('links')}/page.db")) as stores:
        for name, seed in (("first product", 1), ("second & last", 2)):
            with stores.control.transaction() as tx:
                source = source_named(tx, name, 0)
            sent = [*made_fleet(60, seed, 10), *in_environment(made_fleet(60, seed + 2, 10), "ci")]
            stores.events.keep(decode.read_event(one, "", source, NOW) for one in sent)
        while stores.events.fold():
            pass
        yield stores


def links_of(client: PageClient, address: str) -> set[str]:
    reply = client.get(address)
    assert reply.status == 200, address
    return {html.unescape(link) for link in LINK.findall(reply.text)}


def one_of(links: set[str], start: str) -> str:
    return min(link for link in links if link.startswith(start))


@pytest.mark.parametrize("query", ["", "?source=second+%26+last&env=ci&period=week"])
def test_every_link_of_every_view_leads_somewhere(filled: Stores, query: str) -> None:
    client = PageClient(filled)
    views = {f"{path}{query}" for path in set(VIEWS) - {"/failure"}}  # of that one there is no general view
    single = {
        one_of(links_of(client, f"{path}{query}"), start)
        for path, start in (("/instances", "/instance/"), ("/installs", "/run/"), ("/steps", "/failure"))
    }
    links = set[str]().union(*(links_of(client, view) for view in views | single))
    seen = {link.partition("?")[0] for link in links}
    assert seen >= {*VIEWS, "/instances.json", "/installs.csv"}
    bad = {
        link: reply.status for link in sorted(links) if (reply := client.get(link)).status not in (200, 303)
    }
    assert bad == {}
    assert len(links) > 400


def test_a_day_alone_in_an_address_stays_in_the_links_of_its_view(filled: Stores) -> None:
    """As somebody types it: the month that ends on that day."""
    client, day = PageClient(filled), iso(NOW // DAY_MS - 5)
    shown, whole = (links_of(client, f"/?{more}to={day}") for more in ("", "period=month&"))
    assert {link for link in shown if link.startswith("/installs?")} == {
        link for link in whole if link.startswith("/installs?")
    }

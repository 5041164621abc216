"""Sealed bundles on the page: for support alone, as they came, in the sources that somebody may see."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from collector.admin import tokens
from collector.admin.keys import source_named
from collector.base.ids import key_of
from collector.page.views import bundles as views
from collector.store import Stores, bundles
from tests.collector.page.client import NOW, PageClient, Reply
from tests.collector.page.conftest import PASSWORD
from tests.collector.page.stories import INSTANCE, RUN, failed_run

SEALED = b"eyJhbGciOi.sealed." * 40_000
ID = hashlib.sha256(SEALED).hexdigest()
ADDRESS = f"/bundle/{ID}.jwe"


def put(stores: Stores, data: bytes, source: str) -> None:
    with stores.control.transaction() as tx:
        number = source_named(tx, source, 0)
    name = hashlib.sha256(data).digest()
    new = bundles.NewBundle(number, name, 1, key_of(INSTANCE), key_of(RUN), len(data), "thumb" * 8)
    bundles.begin_bundle(stores.control, new, 2**30, NOW)
    for start in range(0, len(data), 2**18):
        bundles.add_part(stores.control, number, name, start, data[start : start + 2**18])
    assert bundles.finish_bundle(stores.control, number, name, NOW)


@pytest.fixture(autouse=True)
def landed(send: Callable[..., None], page_stores: Stores) -> None:
    send(*failed_run())
    put(page_stores, SEALED, "product")


def test_support_sees_that_it_is_there_and_gets_what_came(client: PageClient, helper: str) -> None:
    client.cookie = client.sign_in(helper, PASSWORD)
    shown = client.get("/bundles").text
    assert ADDRESS in shown
    assert f"/run/{RUN}" in shown
    assert 'href="/bundles"' in client.get("/support").text
    (row,) = client.get("/bundles.json").json()["tables"]["bundles"]
    assert (row["id"], row["size"], row["run"], row["instance"]) == (ID, len(SEALED), RUN, INSTANCE)
    assert len(client.get("/bundles.csv").text.splitlines()) == 2
    reply = client.get(ADDRESS)
    assert (reply.status, reply.text.encode()) == (200, SEALED)
    assert (reply.header("content-type"), reply.header("cache-control")) == ("application/jose", "no-store")


def test_nobody_else_does(client: PageClient, page_stores: Stores, viewer: str) -> None:
    viewers = client.sign_in(viewer, PASSWORD)
    for path in ("/bundles", "/bundles.json", ADDRESS):
        assert client.get(path, cookie=viewers).status == 403
        assert client.get(path, cookie="").status in (303, 401)

    def asked(path: str, source: str | None, role: str = "support") -> Reply:
        token = tokens.add_token(page_stores.control, f"{path} {source} {role}", role, source, 0)
        return client.get(path, cookie="", authorization=f"Bearer {token}")

    with page_stores.control.transaction() as tx:
        source_named(tx, "another", 0)
    assert asked(ADDRESS, None, "viewer").status == 403
    assert asked(ADDRESS, None).status == 200
    assert asked(ADDRESS, "product").status == 200
    assert asked(ADDRESS, "another").status == 404


@pytest.mark.parametrize(
    "path", [f"/bundle/{'0' * 64}.jwe", "/bundle/x.jwe", "/bundle/.jwe", "/support.jwe", "/.jwe"]
)
def test_there_is_nothing_else(client: PageClient, path: str) -> None:
    assert client.get(path).status == 404


def test_the_list_is_whole_for_programs_and_has_pages_for_people(
    client: PageClient, page_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PAGE_ROWS", 2)
    monkeypatch.setattr(views, "PIECE_ROWS", 2)
    for number in range(4):
        put(page_stores, b"%d" % number, "product")
    assert len(client.get("/bundles.json").json()["tables"]["bundles"]) == 5
    assert len(client.get("/bundles.csv").text.splitlines()) == 6
    assert (client.get("/bundles").text.count(".jwe"), "before=2" in client.get("/bundles").text) == (2, True)
    last = client.get("/bundles?before=4").text
    assert (last.count(".jwe"), "before=6" in last) == (1, False)

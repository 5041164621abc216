"""Somebody limited to a source sees nothing of another one, anywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from collector.admin import AdminError, tokens, users
from collector.base.ids import key_of
from collector.page.frame import NAVIGATION
from collector.page.queries.sources import SourceList
from collector.store import Stores
from tests.collector.page.client import PageClient
from tests.collector.page.conftest import PASSWORD
from tests.collector.page.stories import EMAIL, INSTANCE, RUN, event, failed_run
from tests.collector.running import Collector

OTHER = "33333333-3333-4333-8333-333333333333"
OTHER_RUN = "44444444-4444-4444-8444-444444444444"
VIEWS = ["/overview", *(path for path, _ in NAVIGATION)]
SEARCHES = [
    "/failure?script=secret.sh&line=9&command=ls&end=3",
    "/events?event=secret",
    f"/events?instance={OTHER}",
    f"/find?id={OTHER_RUN[:8]}",
    f"/find?id={OTHER[:8]}",
]


@pytest.fixture
def two_sources(page_stores: Stores, send: Callable[..., None]) -> Stores:
    """One product that asked for help, and another one with everything secret."""
    send(*failed_run(), source="product")
    secret = failed_run(OTHER_RUN)
    secret[1]["properties"] |= {"script": "secret.sh", "line": 9, "command": "ls", "exitCode": 3}
    secret[2]["properties"] |= {"email": "secret@example.org"}
    for one in (*secret, event("secret"), event("Instance Active")):
        one["anonymousId"] = OTHER
        if one["context"]:
            one["context"] |= {"app": {"version": "secret-1"}, "os": {"name": "secretos"}}
        send(one, source="secret product")
    users.add_user(page_stores.control, "ada", "support", PASSWORD, 0, source="product")
    users.add_user(page_stores.control, "sam", "support", PASSWORD, 0)
    return page_stores


def seen(client: PageClient, cookie: str, **told: str) -> str:
    """All that is to be read in every view, with every way to ask for another source."""
    text = ""
    suffixes = ("json", "csv") if told else ("", "json", "csv")
    for view in (
        *VIEWS,
        *SEARCHES,
        f"/run/{OTHER_RUN}",
        f"/instance/{OTHER}",
        f"/run/{RUN}",
        f"/instance/{INSTANCE}",
    ):
        for source in ("", "secret+product", "product"):
            for suffix in suffixes:
                path, _, query = view.partition("?")
                path = "/overview" if path == "/" and suffix else path
                address = f"{path}{'.' if suffix else ''}{suffix}?{query}&source={source}"
                reply = client.get(address, cookie=cookie, **told)
                assert reply.status in (200, 404), address
                asked = (*SEARCHES[0].split("&"), "event=secret", f"instance={OTHER}")
                text += reply.text if not any(part in address for part in asked) else without_form(reply.text)
    return text


def without_form(text: str) -> str:
    """A page without what it repeats of the address: the form's own fields and links with them."""
    return "\n".join(line for line in text.split("\n") if 'name="event"' not in line and "href" not in line)


def test_a_user_of_one_source_reads_nothing_of_another(client: PageClient, two_sources: Stores) -> None:
    cookie = client.sign_in("ada", PASSWORD)
    told = seen(client, cookie)
    assert EMAIL in told
    for mark in ("secret product", "secret@", "secret-1", "secretos", OTHER[:8] + "</code>"):
        assert mark not in told, mark
    everything = seen(client, client.sign_in("sam", PASSWORD))
    for mark in ("secret product", "secret@", "secret-1", "secretos", OTHER[:8] + "</code>"):
        assert mark in everything, mark


def test_a_source_that_may_not_be_seen_is_one_that_does_not_exist(
    client: PageClient, two_sources: Stores
) -> None:
    cookie = client.sign_in("ada", PASSWORD)
    for view in ("/", "/events", "/events.json", "/support.csv"):
        replies = [client.get(f"{view}?source={name}", cookie=cookie) for name in ("secret+product", "nope")]
        assert {reply.status for reply in replies} == {404}
        assert replies[0].text == replies[1].text
    assert "sources" not in client.get("/", cookie=cookie).text
    assert client.get("/?source=secret+product", cookie=client.sign_in("sam", PASSWORD)).status == 200


def test_a_token_of_one_source_reads_nothing_of_another(client: PageClient, two_sources: Stores) -> None:
    token = tokens.add_token(two_sources.control, "report", "support", "product", 0)
    told = seen(client, "", authorization=f"Bearer {token}")
    assert EMAIL in told
    assert "secret@" not in told
    everything = tokens.add_token(two_sources.control, "all", "support", None, 0)
    assert "secret@" in seen(client, "", authorization=f"Bearer {everything}")


def test_who_is_limited_to_a_source_marks_no_request_of_another(
    client: PageClient, two_sources: Stores
) -> None:
    cookie = client.sign_in("ada", PASSWORD)
    form = {"token": client.get("/support", cookie=cookie).token, "run": OTHER_RUN, "answered": "yes"}
    assert client.post("/support?source=secret+product", form, cookie=cookie).status == 404
    client.post("/support", form, cookie=cookie)
    everything = client.sign_in("sam", PASSWORD)
    assert client.get("/support.json?source=secret+product", cookie=everything).json()["waiting"] == 1


def test_who_sees_one_source_without_events_is_greeted_as_on_an_empty_page(
    client: PageClient, two_sources: Stores
) -> None:
    with two_sources.control.transaction() as tx:
        tx.execute("INSERT INTO sources (name, created) VALUES ('new', 0)")
    users.add_user(two_sources.control, "eve", "viewer", PASSWORD, 0, source="new")
    shown = client.get("/", cookie=client.sign_in("eve", PASSWORD))
    assert "No events yet" in shown.text
    assert "product" not in shown.text.replace("my-product", "")


def test_a_source_that_was_heard_of_stays_so_though_all_of_it_is_forgotten(
    page_stores: Stores, send: Callable[..., None]
) -> None:
    with page_stores.control.transaction() as tx:
        tx.execute("INSERT INTO sources (name, created) VALUES ('product', 0), ('quiet', 0)")
    sources = SourceList(page_stores)
    assert [(one.name, one.heard) for one in sources.all()] == [("product", False), ("quiet", False)]
    send(event("deploy"))
    assert [one.heard for one in sources.all()] == [True, False]
    page_stores.events.forget(1, key_of(INSTANCE))
    assert [one.heard for one in sources.all()] == [True, False]
    assert [one.heard for one in SourceList(page_stores).all()] == [False, False]


def test_a_user_is_limited_to_a_source_by_the_verb(idle: Collector) -> None:
    idle.verb("keys", "add", "product")
    words = ("users", "add", "ada", "--role")
    limited = idle.verb(*words, "admin", "--source", "product", stdin=PASSWORD + "\n", code=1)
    assert "an admin cannot be limited" in limited.stderr
    unknown = idle.verb(*words, "viewer", "--source", "nope", stdin=PASSWORD + "\n", code=1)
    assert "no source has the name 'nope'" in unknown.stderr
    idle.verb(*words, "viewer", "--source", "product", stdin=PASSWORD + "\n")
    assert idle.verb("users", "list").stdout.startswith("ada\tviewer\tproduct\t")


def test_the_limits_of_users_are_kept_by_both_databases(stores: Stores) -> None:
    with stores.control.transaction() as tx:
        tx.execute("INSERT INTO sources (name, created) VALUES ('product', 0)")
    users.add_user(stores.control, "ada", "viewer", PASSWORD, 7, source="product")
    users.add_user(stores.control, "root", "admin", PASSWORD, 7)
    assert users.list_users(stores.control) == [("ada", "viewer", "product", 7), ("root", "admin", None, 7)]
    with pytest.raises(AdminError, match="already"):
        users.add_user(stores.control, "ada", "viewer", PASSWORD, 7)

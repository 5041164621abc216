"""What an admin changes on the page, and that nobody else does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.admin import keys, member_records, tokens, users
from collector.admin.audit import latest_entries
from collector.ingest import decode
from collector.ingest.keyring import digest
from collector.public.numbers import public_sources
from collector.releases.minisign import parse_key
from collector.releases.published import publish_feed, trust_key, trusted_keys
from collector.store import Stores
from collector.store.values import Cutoffs
from tests.agent.updates.signing import Vendor, feed
from tests.collector.alerts.conftest import Sink, channel_file
from tests.collector.page.client import NOW, PageClient, Reply
from tests.collector.page.conftest import PASSWORD
from tests.collector.page.stories import event
from tests.collector.page.test_hostile import EVIL, check_inert
from tests.receiver import Receiver

SHOWN = re.compile(r'<pre tabindex="0" aria-label="[^"]*">([^<]+)</pre>')
VENDOR = Vendor()
VENDOR_KEY = parse_key(VENDOR.public)
ADD_USER = {"action": "add-user", "name": "eve", "role": "support", "password": PASSWORD, "again": PASSWORD}
ACTIONS: list[dict[str, str]] = [
    ADD_USER,
    {"action": "remove-user", "name": "sam"},
    {"action": "add-key", "name": "product"},
    {"action": "revoke-key", "key": "1"},
    {"action": "add-token", "name": "other", "role": "viewer"},
    {"action": "revoke-token", "name": "report"},
    {"action": "limit-key", "key": "1", "rate": "5", "daily": "2M"},
    {"action": "distrust-key", "source": "product", "key": VENDOR_KEY.name},
    {"action": "make-public", "source": "product"},
    {"action": "test-channels"},
]


class Admin:
    """Somebody with the role admin, signed in."""

    def __init__(self, client: PageClient, name: str = "root") -> None:
        self.client, self.cookie = client, client.sign_in(name, PASSWORD)

    def page(self) -> Reply:
        return self.client.get("/admin", cookie=self.cookie)

    def does(self, action: dict[str, str], **more: Any) -> Reply:
        fields = {"token": self.page().token, **action}
        return self.client.post("/admin", fields, **{"cookie": self.cookie, **more})


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Receiver() as receiver:
        yield Sink(receiver)


@pytest.fixture
def client(page_stores: Stores, tmp_path: Path, sink: Sink) -> PageClient:
    return PageClient(page_stores, ALERTS_FILE=str(channel_file(tmp_path, sink.url)))


@pytest.fixture
def admin(client: PageClient, page_stores: Stores) -> Admin:
    users.add_user(page_stores.control, "root", "admin", PASSWORD, 0)
    return Admin(client)


@pytest.fixture
def peopled(page_stores: Stores, helper: str, sink: Sink) -> Callable[[], Any]:
    """A user, a key and a token to remove; and a look at all that can be changed."""
    control = page_stores.control
    keys.add_key(control, "product", 0)
    tokens.add_token(control, "report", "viewer", None, 0)
    trust_key(control, "product", VENDOR_KEY, 0)

    def look() -> Any:
        known = keys.list_keys(page_stores, NOW), users.list_users(control), tokens.list_tokens(control)
        return *known, trusted_keys(control), public_sources(control), len(sink.titles)

    return look


def test_an_admin_adds_and_removes_users(admin: Admin, client: PageClient, page_stores: Stores) -> None:
    keys.add_key(page_stores.control, "product", 0)
    assert admin.does({**ADD_USER, "source": "product"}).header("location") == "/admin"
    assert ("eve", "support", "product") in [row[:3] for row in users.list_users(page_stores.control)]
    cookie = client.sign_in("eve", PASSWORD)
    assert "eve" in admin.page().text
    assert admin.does({"action": "remove-user", "name": "eve"}).status == 303
    assert client.get("/", cookie=cookie).status == 303
    assert len(users.list_users(page_stores.control)) == 1


def test_an_admin_adds_keys_that_are_shown_once_and_revokes_them(admin: Admin, page_stores: Stores) -> None:
    made = admin.does({"action": "add-key", "name": "product"})
    (key,) = SHOWN.findall(made.text)
    assert page_stores.control.all("SELECT hash FROM write_keys") == [(digest(key),)]
    assert made.header("cache-control") == "no-store"
    shown = admin.page().text
    assert key not in shown
    assert key[:6] in shown
    assert admin.does({"action": "revoke-key", "key": key[:6]}).status == 303
    assert keys.list_keys(page_stores, NOW)[0][4] is not None


def test_an_admin_adds_tokens_that_are_shown_once_and_revokes_them(
    admin: Admin, client: PageClient, page_stores: Stores
) -> None:
    made = admin.does({"action": "add-token", "name": "report", "role": "viewer", "source": ""})
    (token,) = SHOWN.findall(made.text)
    bearer = {"cookie": "", "authorization": f"Bearer {token}"}
    assert client.get("/overview.json", **bearer).status == 200
    assert token not in admin.page().text
    assert admin.does({"action": "revoke-token", "name": "report"}).status == 303
    assert client.get("/overview.json", **bearer).status == 401


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ({**ADD_USER, "name": "root"}, "already exists"),
        ({**ADD_USER, "role": "owner"}, "The role is one of"),
        ({**ADD_USER, "role": "admin", "source": "product"}, "An admin cannot be limited"),
        ({**ADD_USER, "source": "nope"}, "No source has the name"),
        ({**ADD_USER, "again": ""}, "not the same"),
        ({"action": "remove-user", "name": "root"}, "You cannot remove yourself"),
        ({"action": "remove-user", "name": "nobody"}, "does not exist"),
        ({"action": "add-key", "name": " "}, "A name has"),
        ({"action": "revoke-key", "key": "zzzzzz"}, "No valid key"),
        ({"action": "revoke-key", "key": "²"}, "No valid key"),
        ({"action": "add-token", "name": "x", "role": "admin"}, "The role is one of"),
        ({"action": "revoke-token", "name": "x"}, "No such token"),
        ({"action": "limit-key", "key": "1", "rate": "many"}, "write 0 or a larger number"),
        ({"action": "limit-key", "key": "1", "daily": "9X"}, "write a number of bytes"),
        ({"action": "limit-key", "key": "1", "daily": "8388608T"}, "write a number of bytes"),
        ({"action": "distrust-key", "source": "product", "key": "x"}, "has no such key"),
        ({"action": "drop"}, "not known"),
        ({}, "not known"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_in_words_and_changes_nothing(
    admin: Admin, page_stores: Stores, peopled: Callable[[], Any], action: dict[str, str], told: str
) -> None:
    before = peopled()
    reply = admin.does(action)
    assert reply.status in (400, 403)
    assert told in reply.text
    assert peopled() == before


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action["action"])
def test_only_an_admin_changes_anything_and_only_by_the_pages_own_form(
    admin: Admin, client: PageClient, page_stores: Stores, peopled: Callable[[], Any], action: dict[str, str]
) -> None:
    users.add_user(page_stores.control, "vera", "viewer", PASSWORD, 0)
    before = peopled()
    for name in ("vera", "sam"):
        cookie = client.sign_in(name, PASSWORD)
        token = client.get("/account", cookie=cookie).token
        assert client.get("/admin", cookie=cookie).status == 403
        assert client.post("/admin", {**action, "token": token}, cookie=cookie).status == 403
        assert "/admin" not in client.get("/", cookie=cookie).text
    assert client.get("/admin", cookie="").header("location") == "/signin?next=%2Fadmin"
    token = admin.page().token
    for wrong in (
        {"cookie": ""},
        {"origin": "https://evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ):
        told = {"cookie": admin.cookie, **wrong}
        assert client.post("/admin", {**action, "token": token}, **told).status == 403
    assert client.post("/admin", {**action, "token": "0" * 64}, cookie=admin.cookie).status == 403
    assert client.get(f"/admin?action={action['action']}&token={token}", cookie=admin.cookie).status == 200
    assert peopled() == before
    assert admin.does(action).status in (200, 303)
    assert peopled() != before


def test_an_api_token_manages_nothing(client: PageClient, admin: Admin, page_stores: Stores) -> None:
    token = tokens.add_token(page_stores.control, "report", "support", None, 0)
    for path in ("/admin", "/admin.json", "/account.json"):
        reply = client.get(path, cookie="", authorization=f"Bearer {token}")
        assert reply.status in (401, 404)
    for path in ("/admin.json", "/admin.csv", "/account.json", "/account.csv"):
        assert client.get(path, cookie=admin.cookie).status == 404


def test_the_setup_link_manages_nothing_but_the_first_user(client: PageClient, page_stores: Stores) -> None:
    assert client.get("/admin").status == 403
    token = client.get("/setup").token
    assert client.post("/admin", {**ADD_USER, "token": token}).status == 403
    assert not users.any_user(page_stores.control)


def test_changes_are_in_the_log_with_who_made_them(admin: Admin, page_stores: Stores) -> None:
    admin.does(ADD_USER)
    admin.does({"action": "add-key", "name": "product"})
    admin.does({"action": "add-token", "name": "report", "role": "viewer"})
    admin.does({"action": "remove-user", "name": "eve"})
    shown = admin.page().text
    for action in ("added user", "added key", "added token", "removed user", "signed in"):
        assert action in shown
    actors = {(entry.actor, entry.action) for entry in latest_entries(page_stores.control, 4)}
    assert actors == {
        ("root", action) for action in ("added user", "added key", "added token", "removed user")
    }


@pytest.mark.parametrize("evil", [evil for evil in EVIL if evil.isprintable()])
def test_hostile_names_are_text_to_an_admin(
    admin: Admin, send: Callable[..., None], page_stores: Stores, evil: str
) -> None:
    send(event("x"), source=evil)
    admin.does({**ADD_USER, "name": evil, "source": evil})
    keys.add_key(page_stores.control, evil, 0)
    for made in (
        admin.does({"action": "add-token", "name": evil, "role": "viewer", "source": evil}),
        admin.does({"action": "add-key", "name": evil}),
        admin.page(),
        admin.client.get("/account", cookie=admin.client.sign_in(evil, PASSWORD)),
    ):
        assert made.status == 200
        check_inert(made.text)
    assert admin.does({"action": "remove-user", "name": evil}).status == 303


def test_an_admin_sees_what_is_kept_and_what_expired_last(admin: Admin, page_stores: Stores) -> None:
    text = admin.page().text
    assert all(
        kept in text for kept in ("35 days", "400 days", "90 days", "30 days", "were not looked for yet")
    )
    page_stores.events.keep([decode.read_event(event("Deployed"), "track", 1, NOW)])
    page_stores.events.expire(Cutoffs(events=NOW + 1), NOW, lambda _: None)
    text = admin.page().text
    assert re.search(r"Other events</th><td>400 days</td><td class=\"num\">1<", text)
    assert "were last looked for on <time" in text


def test_an_admin_limits_a_key_and_takes_the_limits_back(
    admin: Admin, page_stores: Stores, peopled: Callable[[], Any]
) -> None:
    peopled()
    assert "1,000 events in a second, 1 GiB of disk" in admin.page().text
    for typed, rate, daily, shown in (
        ({"rate": "1234567", "daily": "2M"}, 1_234_567, 2 * 1024**2, ["1,234,567", "2 MiB"]),
        ({"rate": "2.5", "daily": "2M"}, 2.5, 2 * 1024**2, ["2.5", "2 MiB"]),
        ({"rate": "0", "daily": "0"}, 0, 0, ["none", "none"]),
        ({"rate": "", "daily": " "}, None, None, ["–", "–"]),
    ):
        assert admin.does({"action": "limit-key", "key": "1", **typed}).status == 303
        (key,) = keys.list_keys(page_stores, NOW)
        assert (key.rate, key.daily) == (rate, daily)
        filled = re.search(r'name="rate" value="([^"]*)"', admin.page().text)
        assert filled is not None
        assert filled[1] == typed["rate"], "the form keeps a limit that is not changed"
        assert re.findall(
            r'<td class="num">([^<]*)</td><td class="num">([^<]*)</td><td>valid', admin.page().text
        ) == [tuple(shown)]
    assert latest_entries(page_stores.control, 1)[0][1:3] == ("root", "limited key")


def test_an_admin_sees_feeds_and_distrusts_a_key(
    admin: Admin, page_stores: Stores, peopled: Callable[[], Any]
) -> None:
    peopled()
    data = feed()
    publish_feed(page_stores.control, "product", data, VENDOR.sign(data), NOW)
    text = admin.page().text
    assert '<a href="/releases?source=product">Shop, sequence 7</a>' in text
    assert f"<code>{VENDOR_KEY.name}</code> signed this feed" in text
    assert admin.does({"action": "distrust-key", "source": "product", "key": VENDOR_KEY.name}).status == 303
    assert VENDOR_KEY.name not in admin.page().text.partition('<h2 id="log">')[0]
    assert latest_entries(page_stores.control, 1)[0][1:3] == ("root", "removed release key")


def test_an_admin_sees_the_channels_without_their_urls_and_tests_them(
    admin: Admin, sink: Sink, page_stores: Stores, tmp_path: Path
) -> None:
    assert sink.url not in admin.page().text
    assert re.search(r'<th scope="row">2</th><td>json</td>', admin.page().text)
    assert not sink.titles
    assert "<td>json</td><td>sent</td>" in admin.does({"action": "test-channels"}).text
    assert sink.titles == ["Rollcall: a test"]
    logged = latest_entries(page_stores.control, 1)[0]
    assert logged[1:4] == ("root", "tested alert channels", "1 of 1 took it")
    (tmp_path / "channels").chmod(0o644)
    text = admin.page().text
    assert "No alert is sent." in text
    assert "readable by its owner alone" in text
    admin.client = PageClient(page_stores)
    assert "ALERTS_FILE</code> is not set" in admin.page().text


def test_an_admin_sees_the_members_of_support(admin: Admin, page_stores: Stores) -> None:
    assert "members reset" not in admin.page().text
    for name in ("mia", "moe"):
        member_records.join(page_stores.control, member_records.Account(name, *["x"] * 5), NOW)
    with page_stores.control.transaction() as tx:
        tx.execute("UPDATE members SET state = 'member' WHERE name = 'mia'")
    text = admin.page().text
    assert re.search(r"mia</th><td>member</td>", text)
    assert re.search(r"moe</th><td>waits for a member’s yes</td>", text)


def test_an_admin_sees_the_sources_and_whether_events_arrive(
    admin: Admin, send: Callable[..., None], page_stores: Stores
) -> None:
    send(event("x"), source="a & b")
    keys.add_key(page_stores.control, "quiet", 0)
    text = admin.page().text
    assert '<a href="/?source=a+%26+b">arrive</a>' in text
    assert '<a href="/?source=quiet">none yet: how to send</a>' in text


def test_the_first_event_is_three_steps_away_on_one_page(admin: Admin, page_stores: Stores) -> None:
    client = admin.client
    client.cookie = admin.cookie
    shown = client.get("/")
    assert "Three steps to the first event" in shown.text
    assert shown.header("refresh") == ""  # it would empty the form
    assert "A name has" in client.post("/start", {"token": shown.token, "name": " "}).text
    made = client.post("/start", {"token": shown.token, "name": "product"})
    (line,) = re.findall("ROLLCALL_WRITE_KEY=(.*)</pre>", made.text)
    assert page_stores.control.all("SELECT hash FROM write_keys") == [(digest(line),)]
    assert made.text.count(line) == 3  # alone, for docker.env, and for curl
    assert made.header("refresh") == ""  # it would take the key away
    waiting = client.get("/")
    assert line not in waiting.text
    assert waiting.header("refresh") == "3"
    assert 'href="/?key=new"' in waiting.text
    assert "Three steps" in client.get("/?key=new").text
    assert client.get("/start").header("location") == "/"


def test_only_an_admin_makes_the_first_key(
    client: PageClient, page_stores: Stores, viewer: str, helper: str
) -> None:
    for name in (viewer, helper):
        cookie = client.sign_in(name, PASSWORD)
        shown = client.get("/", cookie=cookie)
        assert "rollcall-collector keys add my-product" in shown.text
        token = client.get("/account", cookie=cookie).token
        assert client.post("/start", {"token": token, "name": "product"}, cookie=cookie).status == 403
    assert client.post("/start", {"token": "0" * 64, "name": "product"}, cookie="").status == 403
    assert not keys.any_key(page_stores.control)

"""Who may look at the page, and who may not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from collector.admin import users
from collector.page.access.limits import IDLE_MS, LONGEST_MS, TRIES
from collector.page.frame import NAVIGATION, QUESTIONS
from collector.store import Stores, StoreUnavailable, open_database, open_stores, sqlite
from tests.collector.page.client import PageClient
from tests.collector.page.conftest import PASSWORD
from tests.collector.page.stories import EMAIL, INSTANCE, RUN, event, failed_run

VIEWS = [
    *(path for path, _ in NAVIGATION),
    *(path for path, *_ in QUESTIONS),
    f"/run/{RUN}",
    f"/instance/{INSTANCE}",
]


@pytest.fixture(autouse=True)
def landed(send: Callable[..., None]) -> None:
    send(*failed_run())


def test_with_users_everybody_signs_in_even_on_this_machine(client: PageClient, viewer: str) -> None:
    for view in VIEWS:
        reply = client.get(view)
        assert reply.status == 303
        assert reply.header("location").startswith("/signin")
    for suffix in ("json", "csv"):
        reply = client.get(f"/events.{suffix}")
        assert reply.status == 401
        assert reply.json()["code"] == "unauthorized"


def test_a_wrong_password_and_an_unknown_name_are_refused_alike(client: PageClient, viewer: str) -> None:
    form = client.get("/signin")
    replies = [
        client.post("/signin", {"token": form.token, "name": name, "password": password}, cookie=form.cookie)
        for name, password in ((viewer, "wrong horse battery"), ("nobody", PASSWORD), (viewer, ""))
    ]
    assert {reply.status for reply in replies} == {403}
    assert all("is wrong" in reply.text and not reply.header("location") for reply in replies)
    assert client.sign_in(viewer, PASSWORD)


def test_a_peer_is_who_a_trusted_proxy_says_it_is(page_stores: Stores, viewer: str) -> None:
    client = PageClient(page_stores, TRUSTED_PROXIES="127.0.0.1")
    form = client.get("/signin")
    wrong = {"token": form.token, "name": viewer, "password": "wrong horse battery"}
    for _ in range(int(TRIES)):
        client.post("/signin", wrong, cookie=form.cookie, x_forwarded_for="192.0.2.7")
    assert client.post("/signin", wrong, cookie=form.cookie, x_forwarded_for="192.0.2.7").status == 429
    assert client.post("/signin", wrong, cookie=form.cookie, x_forwarded_for="192.0.2.8").status == 403


def test_the_cookie_is_for_this_page_alone(page_stores: Stores, viewer: str) -> None:
    plain = PageClient(page_stores).get("/signin").header("set-cookie")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(plain.split("; "))
    assert "Secure" not in plain
    behind_tls = PageClient(page_stores, TRUSTED_PROXIES="127.0.0.1").get(
        "/signin", x_forwarded_proto="https"
    )
    assert behind_tls.header("set-cookie").startswith("__Host-rollcall=")
    assert "; Secure" in behind_tls.header("set-cookie")
    claimed = PageClient(page_stores).get("/signin", x_forwarded_proto="https", peer="192.0.2.7")
    assert "Secure" not in claimed.header("set-cookie")


def test_every_stranger_gets_a_form_of_their_own(client: PageClient, viewer: str) -> None:
    """Or one stranger could send another one's form."""
    first, second = (client.get("/signin", cookie="") for _ in range(2))
    assert first.cookie != second.cookie
    assert first.token != second.token
    fields = {"token": first.token, "name": viewer, "password": PASSWORD}
    assert client.post("/signin", fields, cookie=second.cookie).status == 403
    assert client.post("/signin", fields, cookie=first.cookie).status == 303


def test_a_forged_cookie_opens_nothing(client: PageClient, viewer: str) -> None:
    cookie = client.sign_in(viewer, PASSWORD)
    assert client.get("/", cookie=cookie).status == 200
    for forged in (cookie[:-1], cookie + "x", cookie.swapcase(), "rollcall=", "rollcall=' OR 1=1 --"):
        assert client.get("/", cookie=forged).status == 303


def test_cookies_of_other_pages_and_escapes_in_ours_do_no_harm(client: PageClient, viewer: str) -> None:
    others = 'prefs={"theme": "dark"}; a=b,c; =; '
    form = client.get("/signin", cookie=others)
    fields = {"token": form.token, "name": viewer, "password": PASSWORD}
    signed_in = client.post("/signin", fields, cookie=others + form.cookie)
    assert client.get("/", cookie=others + signed_in.cookie).status == 200
    told = client.get("/signin", cookie=r'rollcall="a\015\012set-cookie: c=d\073 Domain=example"')
    assert not {"\r", "\n"} & set(told.header("set-cookie"))
    assert "; Domain" not in told.header("set-cookie")


def test_a_long_password_is_taken_whole(client: PageClient, page_stores: Stores) -> None:
    users.add_user(page_stores.control, "lou", "viewer", "x" * 1001, 0)
    assert client.sign_in("lou", "x" * 1001)


def test_the_digest_in_the_database_is_no_cookie(
    client: PageClient, page_stores: Stores, viewer: str
) -> None:
    cookie = client.sign_in(viewer, PASSWORD)
    ((token,),) = page_stores.control.all("SELECT token FROM sessions")
    assert cookie.partition("=")[2].encode() not in token
    assert client.get("/", cookie=f"rollcall={bytes(token).hex()}").status == 303


def test_a_cookie_replayed_after_signing_out_opens_nothing(client: PageClient, viewer: str) -> None:
    cookie = client.sign_in(viewer, PASSWORD)
    token = client.get("/", cookie=cookie).token
    out = client.post("/signout", {"token": token}, cookie=cookie)
    assert out.status == 303
    assert "Max-Age=0" in out.header("set-cookie")
    assert client.get("/", cookie=cookie).status == 303


def test_a_session_ends_when_it_is_idle_or_old_or_its_user_is_gone(
    client: PageClient, page_stores: Stores, viewer: str
) -> None:
    idle = client.sign_in(viewer, PASSWORD)
    client.now += IDLE_MS + 1
    assert client.get("/", cookie=idle).status == 303
    busy = client.sign_in(viewer, PASSWORD)
    for _ in range(LONGEST_MS // IDLE_MS * 2):
        client.now += IDLE_MS // 2
        assert client.get("/", cookie=busy).status == 200
    client.now += IDLE_MS // 2
    assert client.get("/", cookie=busy).status == 303
    last = client.sign_in(viewer, PASSWORD)
    users.add_user(page_stores.control, "other", "viewer", PASSWORD, 0)
    users.remove_user(page_stores.control, viewer, 0)
    assert client.get("/", cookie=last).status == 303


def test_who_is_signed_in_may_look_while_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, say, or another's long transaction."""
    monkeypatch.setattr(sqlite, "BUSY_MS", 50)
    stores = open_stores(f"sqlite:///{tmp_path}/page.db")
    users.add_user(stores.control, "vera", "viewer", PASSWORD, 0)
    client = PageClient(stores)
    cookie = client.sign_in("vera", PASSWORD)
    client.now += 6 * 60_000
    other = open_database(f"sqlite:///{tmp_path}/page.db")
    with other.transaction():
        with pytest.raises(StoreUnavailable), stores.control.transaction():
            pass
        assert client.get("/", cookie=cookie).status == 200
    other.close()
    stores.close()


def test_signing_in_makes_a_new_cookie_so_that_a_planted_one_is_worth_nothing(
    client: PageClient, viewer: str
) -> None:
    form = client.get("/signin")
    fields = {"token": form.token, "name": viewer, "password": PASSWORD}
    signed_in = client.post("/signin", fields, cookie=form.cookie)
    assert signed_in.cookie != form.cookie
    assert client.get("/", cookie=form.cookie).status == 303


def test_signing_in_again_ends_the_session_before(client: PageClient, viewer: str) -> None:
    first = client.sign_in(viewer, PASSWORD)
    token = client.get("/", cookie=first).token
    fields = {"token": token, "name": viewer, "password": PASSWORD}
    second = client.post("/signin", fields, cookie=first).cookie
    assert client.get("/", cookie=second).status == 200
    assert client.get("/", cookie=first).status == 303


@pytest.mark.parametrize("path", ["/signin", "/signout", "/support"])
def test_a_form_without_its_token_changes_nothing(client: PageClient, helper: str, path: str) -> None:
    cookie = client.sign_in(helper, PASSWORD)
    token = client.get("/support", cookie=cookie).token
    fields = {"run": RUN, "answered": "yes", "name": helper, "password": PASSWORD}
    for wrong in ({}, {"token": ""}, {"token": "0" * 64}, {"token": client.get("/signin").text[:64]}):
        assert client.post(path, {**fields, **wrong}, cookie=cookie).status == 403
    right = {**fields, "token": token}
    assert client.post(path, right).status == 403
    assert client.post(path, right, cookie=cookie, origin="https://evil.example").status == 403
    assert client.post(path, right, cookie=cookie, origin="http://[").status == 403
    assert client.post(path, right, cookie=cookie, sec_fetch_site="cross-site").status == 403
    assert client.get("/support.json", cookie=cookie).json()["waiting"] == 1
    same = client.post(
        path, right, cookie=cookie, origin="http://127.0.0.1:8787", sec_fetch_site="same-origin"
    )
    assert same.status == 303


def test_a_viewer_is_told_no_address_anywhere(client: PageClient, viewer: str, helper: str) -> None:
    told = dict.fromkeys((viewer, helper), "")
    for name in told:
        cookie = client.sign_in(name, PASSWORD)
        for view in ["/overview", *VIEWS]:
            for suffix in ("", ".json", ".csv"):
                reply = client.get(view if view == "/" else view + suffix, cookie=cookie)
                refused = name == viewer and "support" in view
                assert reply.status == (403 if refused else 200), view
                told[name] += reply.text
    assert EMAIL not in told[viewer]
    assert EMAIL in told[helper]


@pytest.mark.parametrize("name", ["email", "e-mail", "E_Mail", "contactEmail", "EMAIL-ADDRESS"])
def test_an_address_is_hidden_however_its_field_is_written(
    client: PageClient, send: Callable[..., None], viewer: str, name: str
) -> None:
    send(event("signup", deep=[{name: "bob@example.org"}]))
    shown = client.get("/events?event=signup", cookie=client.sign_in(viewer, PASSWORD)).text
    assert name in shown
    assert "bob@example.org" not in shown


def test_a_viewer_may_not_answer_for_support(client: PageClient, viewer: str) -> None:
    cookie = client.sign_in(viewer, PASSWORD)
    token = client.get("/", cookie=cookie).token
    refused = client.post("/support", {"token": token, "run": RUN, "answered": "yes"}, cookie=cookie)
    assert refused.status == 403


def test_help_is_marked_as_answered_by_whom_and_may_be_reopened(client: PageClient, helper: str) -> None:
    cookie = client.sign_in(helper, PASSWORD)
    token = client.get("/support", cookie=cookie).token
    fields = {"token": token, "run": RUN}
    assert client.post("/support", {**fields, "answered": "yes"}, cookie=cookie).status == 303
    shown = client.get("/support.json", cookie=cookie).json()
    assert shown["waiting"] == 0
    assert shown["tables"]["requests"][0]["answered_by"] == helper
    client.post("/support", {**fields, "answered": "no"}, cookie=cookie)
    assert client.get("/support.json", cookie=cookie).json()["waiting"] == 1


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/installs?period=week", "/installs?period=week"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\r\nset-cookie: a=b", "/"),
        ("/é/evil.example", "/%C3%A9/evil.example"),
        ("/events?event=a b", "/events?event=a%20b"),
    ],
)
def test_signing_in_leads_back_to_this_page_and_nowhere_else(
    client: PageClient, viewer: str, wanted: str, given: str
) -> None:
    form = client.get("/signin")
    fields = {"token": form.token, "name": viewer, "password": PASSWORD, "next": wanted}
    assert client.post("/signin", fields, cookie=form.cookie).header("location") == given

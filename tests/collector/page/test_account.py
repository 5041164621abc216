"""One's own account: a new password, and what ends with the old one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from collector.admin import users
from collector.store import Stores
from tests.collector.page.client import PageClient, Reply
from tests.collector.page.conftest import PASSWORD

NEW = "battery staple correct"


def change(client: PageClient, cookie: str, **fields: str) -> Reply:
    token = client.get("/account", cookie=cookie).token
    told = {"token": token, "current": PASSWORD, "password": NEW, "again": NEW, **fields}
    return client.post("/account", told, cookie=cookie)


def test_a_user_sees_who_they_are_and_changes_their_password(client: PageClient, viewer: str) -> None:
    cookie = client.sign_in(viewer, PASSWORD)
    assert viewer in client.get("/account", cookie=cookie).text
    reply = change(client, cookie)
    assert (reply.status, reply.header("location")) == (303, "/account?changed=yes")
    assert "The password is changed" in client.get("/account?changed=yes", cookie=reply.cookie).text
    assert client.sign_in(viewer, NEW)
    form = client.get("/signin", cookie="")
    fields = {"token": form.token, "name": viewer, "password": PASSWORD}
    assert client.post("/signin", fields, cookie=form.cookie).status == 403


def test_a_new_password_ends_the_users_other_sessions_and_no_one_elses(
    client: PageClient, viewer: str, helper: str
) -> None:
    here, elsewhere = (client.sign_in(viewer, PASSWORD) for _ in range(2))
    another = client.sign_in(helper, PASSWORD)
    reply = change(client, here)
    assert client.get("/", cookie=reply.cookie).status == 200
    assert client.get("/", cookie=another).status == 200
    for old in (here, elsewhere):
        assert client.get("/", cookie=old).status == 303


@pytest.fixture
def changed_meanwhile(
    page_stores: Stores, viewer: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """From now on, the password is another one as soon as it was found right."""
    check = users.password_is

    def change_after(password: str, kept: str) -> bool:
        right = check(password, kept)
        with page_stores.control.transaction() as tx:
            tx.execute("UPDATE users SET password = ? WHERE name = ?", users.hash_password(NEW), viewer)
            tx.execute("DELETE FROM sessions")
        return right

    return lambda: monkeypatch.setattr(users, "password_is", change_after)


def test_who_signs_in_while_the_password_is_changed_is_not_in(
    client: PageClient, page_stores: Stores, viewer: str, changed_meanwhile: Callable[[], None]
) -> None:
    """Else a thief who signs in over and over has a session that the change does not end."""
    form = client.get("/signin", cookie="")
    changed_meanwhile()
    fields = {"token": form.token, "name": viewer, "password": PASSWORD}
    reply = client.post("/signin", fields, cookie=form.cookie)
    assert (reply.status, "changed while you signed in" in reply.text) == (403, True)
    assert page_stores.control.all("SELECT 1 FROM sessions") == []


def test_of_two_changes_by_one_password_the_first_holds(
    client: PageClient,
    page_stores: Stores,
    viewer: str,
    changed_meanwhile: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cookie, right = client.sign_in(viewer, PASSWORD), users.password_is
    token = client.get("/account", cookie=cookie).token
    changed_meanwhile()
    thief = {"token": token, "current": PASSWORD, "password": "of the thief", "again": "of the thief"}
    reply = client.post("/account", thief, cookie=cookie)
    assert (reply.status, "The password was changed meanwhile" in reply.text) == (403, True)
    monkeypatch.setattr(users, "password_is", right)
    ((kept,),) = page_stores.control.all("SELECT password FROM users")
    assert users.password_is(NEW, kept)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"current": "wrong horse battery"}, "The current password is wrong"),
        ({"again": "another"}, "The passwords are not the same"),
        ({"password": "short", "again": "short"}, "at least 10 characters"),
    ],
    ids=str,
)
def test_a_wrong_change_changes_nothing(
    client: PageClient, page_stores: Stores, viewer: str, fields: dict[str, str], told: str
) -> None:
    cookie = client.sign_in(viewer, PASSWORD)
    before = page_stores.control.all("SELECT password FROM users")
    reply = change(client, cookie, **fields)
    assert reply.status == 403
    assert told in reply.text
    assert page_stores.control.all("SELECT password FROM users") == before
    assert client.get("/", cookie=cookie).status == 200


def test_a_stolen_session_is_no_place_to_guess_the_password(client: PageClient, viewer: str) -> None:
    cookie = client.sign_in(viewer, PASSWORD)
    statuses = [change(client, cookie, current=f"guess {n} of it").status for n in range(7)]
    assert statuses == [403] * 5 + [429] * 2


def test_a_browser_that_knew_the_old_password_is_known_no_more(client: PageClient, viewer: str) -> None:
    form = client.get("/signin")
    fields = {"token": form.token, "name": viewer, "password": PASSWORD}
    known = client.post("/signin", fields, cookie=form.cookie).cookies.partition("; ")[2]
    change(client, client.sign_in(viewer, PASSWORD))
    wrong = {**fields, "password": "wrong horse battery"}
    statuses = [client.post("/signin", wrong, cookie=f"{form.cookie}; {known}").status for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    assert client.post("/signin", wrong, cookie=form.cookie).status == 429  # they counted for the address


def test_the_account_is_for_who_signed_in(client: PageClient, page_stores: Stores) -> None:
    assert client.get("/account").header("location") == "/setup"
    token = client.get("/setup").token
    users.add_user(page_stores.control, "ada", "viewer", PASSWORD, 0)
    stranger = client.get("/account", cookie="")
    assert stranger.header("location") == "/signin?next=%2Faccount"
    fields = {"token": token, "current": PASSWORD, "password": NEW, "again": NEW}
    assert client.post("/account", fields).status == 403
    assert client.sign_in("ada", PASSWORD)

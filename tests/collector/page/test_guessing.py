"""Whoever guesses passwords learns nothing, fills nothing, and shuts nobody out."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import scrypt
from typing import Any
from urllib.parse import urlencode

import pytest

from collector.admin import users
from collector.page.access import checks
from collector.page.access.limits import NAME_TRIES, SECONDS_A_NAME_TRY, SECONDS_A_TRY, TRIES
from collector.store import Stores
from tests.collector.held import Held
from tests.collector.page.client import PageClient, Reply
from tests.collector.page.conftest import PASSWORD, REAL_COST

WRONG = "wrong horse battery"
OLD = "scrypt${}${}"


class Guesser:
    """A browser with the sign-in form open."""

    def __init__(self, client: PageClient) -> None:
        self._client, form = client, client.get("/signin")
        self.cookies, self._token = form.cookie, form.token

    def body(self, name: str, password: str) -> bytes:
        return urlencode({"token": self._token, "name": name, "password": password}).encode()

    def tries(self, name: str, password: str = WRONG, peer: str = "192.0.2.1", known: str = "") -> Reply:
        cookie = f"{self.cookies}; {known}"
        return self._client.request(
            "POST", "/signin", body=self.body(name, password), cookie=cookie, peer=peer
        )


@pytest.fixture
def guesser(client: PageClient, viewer: str) -> Guesser:
    return Guesser(client)


def mark_of(reply: Reply) -> str:
    """The cookie by which the browser is known."""
    return next(cookie for cookie in reply.cookies.split("; ") if cookie.startswith("rollcall-known="))


def set_old_hash(stores: Stores, name: str, password: str) -> None:
    """As the first version stored it."""
    digest = scrypt(password.encode(), salt=b"salt" * 4, n=2**14, r=8, p=1, dklen=32)
    with stores.control.transaction() as tx:
        tx.execute(
            "UPDATE users SET password = ? WHERE name = ?",
            OLD.format((b"salt" * 4).hex(), digest.hex()),
            name,
        )


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What scrypt is asked to do, piece by piece, at the real cost."""
    monkeypatch.setattr(users, "COST", REAL_COST)
    done: list[int] = []

    def noted(password: bytes, **cost: Any) -> bytes:
        done.append(cost["n"] * cost["r"] * cost["p"])
        return scrypt(password, **cost)

    monkeypatch.setattr(users, "scrypt", noted)
    return done


def test_an_unknown_name_costs_the_same_work_as_a_wrong_password_to_a_new_or_an_old_hash(
    work: list[int], page_stores: Stores, viewer: str, guesser: Guesser
) -> None:
    """Or the time of the answer would tell which names exist."""
    users.add_user(page_stores.control, "old", "viewer", PASSWORD, 0)
    set_old_hash(page_stores, "old", PASSWORD)
    guesser.tries("first")  # prepares what the others use
    for name in (viewer, "nobody", "old"):
        work.clear()
        assert guesser.tries(name, peer=name).status == 403
        assert sum(work) == 2**14 * 8 * 5, name


def test_a_hash_of_an_older_cost_is_renewed_at_sign_in(
    work: list[int], page_stores: Stores, viewer: str, guesser: Guesser
) -> None:
    set_old_hash(page_stores, viewer, PASSWORD)
    assert guesser.tries(viewer).status == 403
    assert guesser.tries(viewer, PASSWORD).status == 303
    ((kept,),) = page_stores.control.all("SELECT password FROM users")
    assert kept.startswith("scrypt$16384$8$5$")
    work.clear()
    assert guesser.tries(viewer, PASSWORD).status == 303
    assert work == [2**14 * 8 * 5]
    assert page_stores.control.all("SELECT password FROM users") == [(kept,)]


def test_tries_are_limited_by_address_and_others_may_still_try(
    client: PageClient, guesser: Guesser, viewer: str
) -> None:
    statuses = [guesser.tries(f"{viewer}{n}").status for n in range(int(TRIES) + 2)]
    assert statuses == [403] * int(TRIES) + [429] * 2
    late = guesser.tries(viewer, PASSWORD)
    assert late.status == 429
    assert int(late.header("retry-after")) > 0
    assert guesser.tries(viewer, PASSWORD, "192.0.2.9").status == 303
    client.clock += SECONDS_A_TRY + 1
    assert guesser.tries(viewer, PASSWORD).status == 303


@pytest.mark.parametrize("name", ["vera", "nobody"])
def test_tries_are_limited_by_name_however_many_addresses_somebody_has(
    client: PageClient, guesser: Guesser, name: str
) -> None:
    seen = [guesser.tries(name, peer=f"192.0.2.{n}").status for n in range(int(NAME_TRIES) + 3)]
    assert seen == [403] * int(NAME_TRIES) + [429] * 3
    assert guesser.tries("another", peer="192.0.2.99").status == 403
    client.clock += SECONDS_A_NAME_TRY + 1
    assert [guesser.tries(name, peer=f"192.0.2.{n}").status for n in (100, 101)] == [403, 429]


def test_who_guesses_does_not_shut_the_user_out_of_a_browser_that_knows_them(
    client: PageClient, guesser: Guesser, page_stores: Stores, viewer: str
) -> None:
    home = "203.0.113.7"
    known = mark_of(guesser.tries(viewer, PASSWORD, home))
    for n in range(int(NAME_TRIES)):
        guesser.tries(viewer, peer=f"192.0.2.{n}")
    for n in range(int(TRIES)):
        guesser.tries(f"nobody {n}", peer=home)
    assert guesser.tries(viewer, PASSWORD, "192.0.2.99").status == 429
    assert guesser.tries(viewer, PASSWORD, home).status == 429
    assert guesser.tries(viewer, PASSWORD, home, known).status == 303
    # Nor is such a browser one to guess from: it has a limit too, and is known for one user alone.
    statuses = [guesser.tries(viewer, known=known).status for _ in range(int(TRIES) + 1)]
    assert statuses == [403] * int(TRIES) + [429]
    users.add_user(page_stores.control, "other", "viewer", PASSWORD, 0)
    for n in range(int(NAME_TRIES)):
        guesser.tries("other", peer=f"198.51.100.{n}")
    for mark in (known, known[:-1], "rollcall-known=x.y", "rollcall-known=.", "rollcall-known=é.é"):
        assert guesser.tries("other", PASSWORD, "192.0.2.98", mark).status == 429


def test_a_flood_of_guesses_takes_the_memory_of_one_and_most_are_told_to_come_back(
    client: PageClient, guesser: Guesser, viewer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held()

    def noted(password: bytes, **cost: Any) -> bytes:
        with held.work():
            return scrypt(password, **cost)

    monkeypatch.setattr(users, "scrypt", noted)
    monkeypatch.setattr(users, "COST", users.Cost(2**10, 8, 5))
    flood = checks.MOST_WAITING + 10

    async def guess(n: int) -> Reply:
        body, peer = guesser.body(f"nobody {n}", WRONG), f"192.0.2.{n}"
        reply = await client.ask("POST", "/signin", body=body, cookie=guesser.cookies, peer=peer)
        if reply.status == 503:
            held.sent_away.set()
        return reply

    replies = client.together(*(guess(n) for n in range(flood)))
    statuses = [reply.status for reply in replies]
    assert held.most == checks.AT_ONCE
    assert statuses.count(403) >= checks.MOST_WAITING
    assert statuses.count(503) >= 1
    assert statuses.count(403) + statuses.count(503) == flood
    assert {reply.header("retry-after") for reply in replies if reply.status == 503} == {"5"}


def test_a_known_browser_signs_in_amid_a_flood(client: PageClient, guesser: Guesser, viewer: str) -> None:
    known = mark_of(guesser.tries(viewer, PASSWORD))
    client.page._signing.checks._waiting = checks.MOST_WAITING
    assert guesser.tries(viewer, PASSWORD).status == 503
    assert guesser.tries(viewer, PASSWORD, known=known).status == 303


@pytest.fixture
def log(page_stores: Stores) -> Callable[[], list[tuple[str, str, str, int]]]:
    def read() -> list[tuple[str, str, str, int]]:
        rows = page_stores.control.all("SELECT actor, action, subject, times FROM audit ORDER BY id")
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    return read


def test_failures_are_logged_by_the_hour_without_address_or_what_was_typed(
    client: PageClient,
    guesser: Guesser,
    page_stores: Stores,
    viewer: str,
    log: Callable[[], list[tuple[str, str, str, int]]],
) -> None:
    for n in range(3):
        guesser.tries(viewer, peer=f"192.0.2.{n}")
        guesser.tries(PASSWORD, peer=f"192.0.2.{n}")  # typed into the wrong field
    client.now += 3_600_000
    guesser.tries(viewer)
    guesser.tries(viewer, PASSWORD)
    assert log()[-4:] == [
        (viewer, "failed to sign in", "", 3),
        ("an unknown name", "failed to sign in", "", 3),
        (viewer, "failed to sign in", "", 1),
        (viewer, "signed in", "", 1),
    ]
    everything = str(page_stores.control.all("SELECT * FROM audit"))
    assert "192.0.2" not in everything
    assert PASSWORD not in everything

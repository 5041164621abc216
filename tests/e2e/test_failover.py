"""The server of a highly available PostgreSQL that takes changes is killed while agents send."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.collector.running import Collector, Reply
from tests.collector.sending import BUSY, Sender, ids_of, sending
from tests.e2e.patroni import Patroni
from tests.wait import until

pytestmark = [pytest.mark.needs("patroni"), pytest.mark.once, pytest.mark.timeout(900)]

PASSWORD = "correct horse battery"
PAGE_SECONDS = 2  # within which the page is back, once another server takes changes


@pytest.fixture
def patroni() -> Iterator[Patroni]:
    made = Patroni()
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture
def collectors(patroni: Patroni, tmp_path: Path) -> Iterator[list[Collector]]:
    """Two on one database, as behind a proxy."""
    with ExitStack() as running:
        database, started = patroni.database("rollcall"), []
        for name in ("one", "two"):
            started.append(Collector(tmp_path / name, database))
            started[-1].key = started[0].key
            started[-1].start()
            running.callback(started[-1].kill)
        yield started


def sign_in(collector: Collector) -> str:
    """The cookies of a user who has signed in."""
    form = collector.get("/signin")
    token = re.search(r'name="token" value="([^"]+)"', form.body.decode())
    assert token
    fields = {"token": token[1], "name": "ada", "password": PASSWORD}
    headers = {"Cookie": cookies_of(form), "Content-Type": "application/x-www-form-urlencoded"}
    reply = collector.request("POST", "/signin", urlencode(fields).encode(), headers)
    assert reply.status == 303
    return cookies_of(reply)


def cookies_of(reply: Reply) -> str:
    return "; ".join(cookie.partition(";")[0] for cookie in reply.headers.get_all("Set-Cookie") or [])


def shows_page(collector: Collector, cookies: str) -> bool:
    """Whether the page answers; if it does not, it says when to try again, and signs nobody out."""
    reply = collector.get("/", Cookie=cookies)
    assert reply.status in (200, 503)
    if reply.status == 503:
        assert int(reply.headers["Retry-After"]) > 0
        assert "Set-Cookie" not in reply.headers
    return reply.status == 200


def first(condition: Callable[[], bool]) -> float:
    """When a condition is true for the first time."""
    until(condition)
    return time.monotonic()


def fail_over(patroni: Patroni, pages: Sequence[Callable[[], bool]]) -> tuple[float, float, float]:
    """Kill the leader; after how many seconds another one was there, the pages, and a standby of that one."""
    leader = patroni.leader()
    began = time.monotonic()
    leader.kill()
    until(lambda: not any(page() for page in pages), why="the pages notice")
    with ThreadPoolExecutor() as threads:
        back = [threads.submit(first, look) for look in (patroni.takes_changes, patroni.answers, *pages)]
        takes, answers, *shown = [one.result() - began for one in back]
    assert patroni.leader() is not leader
    patroni.begin(leader)
    return takes, max(shown), answers


def test_a_leader_that_is_killed_costs_delay_and_nothing_else(
    patroni: Patroni, collectors: list[Collector], slow: bool
) -> None:
    collectors[0].verb("users", "add", "ada", "--role", "viewer", stdin=f"{PASSWORD}\n")
    cookies = sign_in(collectors[0])
    pages = [partial(shows_page, one, cookies) for one in collectors]
    assert all(page() for page in pages)
    senders = [Sender(collectors, n) for n in range(4)]
    with sending(senders):
        until(lambda: all(sender.acknowledged for sender in senders))
        for _ in range(5 if slow else 1):
            until(patroni.is_whole, why="a server that was killed follows the new leader")
            leader, page, standby = fail_over(patroni, pages)
            print(f"leader {leader:.1f} s, page {page:.1f} s, standby {standby:.1f} s", flush=True)
            assert page < leader + PAGE_SECONDS or not slow  # in CI, other work may keep it
    assert all(page() for page in pages)
    assert all(sender.refused for sender in senders)
    assert {said for sender in senders for said in sender.refusals} <= {BUSY}
    acknowledged = ids_of(senders)
    print(len(acknowledged), "acknowledged", sum(sender.refused for sender in senders), "refused")
    assert sorted(one["messageId"] for one in collectors[0].export()) == acknowledged
    assert "every counter is right" in collectors[1].verb("recount").stderr

"""What a stranger can cost the API for members: a bounded part of memory, and a request now and then."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from typing import Any

import pytest

from collector.admin import member_records
from collector.admin.member_records import Account, Challenge
from collector.base.http import Receive
from collector.ingest.allowance import Allowance
from collector.page.access import checks
from collector.page.access.known import new_mark
from collector.page.access.limits import TRIES
from collector.serve.members import MEMORY, MOST_BODY, PREFIX, MembersApi
from collector.settings import read_settings
from collector.store import Stores
from tests.collector.held import Held
from tests.wait import PATIENCE

pytestmark = pytest.mark.once
Message = MutableMapping[str, Any]


class Asked:
    """One request to the API."""

    def __init__(self, api: MembersApi, verb: str, receive: Receive, address: str = "203.0.113.7") -> None:
        self.status, self.body = 0, b""
        scope = {"method": "POST", "headers": [], "client": (address, 1)}
        self.answer = api(PREFIX + verb, scope, receive, self._send)

    async def _send(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")


def new_api(stores: Stores, rate: int, clock: Callable[[], float] = float) -> MembersApi:
    settings = read_settings({"HOME": "/x", "ROLLCALL_COLLECTOR_PEER_RATE": str(rate)})
    return MembersApi(settings, stores.control, Allowance(settings, float, float), float, clock)


def whole(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    return receive


async def unread() -> Message:
    raise AssertionError("the body was read")


def test_bodies_that_never_end_have_a_bounded_part_of_memory(stores: Stores) -> None:
    api = new_api(stores, 0)

    async def attack() -> None:
        def endless() -> Receive:
            parts = [{"type": "http.request", "body": b" " * 15_000, "more_body": True}]

            async def receive() -> Message:
                if not parts:
                    await asyncio.Event().wait()
                return parts.pop()

            return receive

        fit = MEMORY // 2 // 15_000
        asked = [Asked(api, "state", endless()) for _ in range(fit + 30)]
        tasks = [asyncio.create_task(one.answer) for one in asked]
        for _ in range(30):
            await asyncio.wait([task for task in tasks if not task.done()], return_when="FIRST_COMPLETED")
            if sum(task.done() for task in tasks) == 30:
                break
        assert [one.status for one in asked if one.status] == [503] * 30
        assert api._memory.used == fit * 15_000
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        assert api._memory.used == 0

    asyncio.run(asyncio.wait_for(attack(), PATIENCE))


def test_a_stranger_sends_little_and_asks_seldom(stores: Stores) -> None:
    def status(verb: str, receive: Receive) -> int:
        asked = Asked(api, verb, receive)
        asyncio.run(asked.answer)
        return asked.status

    api = new_api(stores, 0)
    padded = json.dumps({"padding": "x" * MOST_BODY}).encode()
    assert status("state", whole(b"{}" + b" " * (MOST_BODY - 2))) == 401
    assert status("state", whole(padded)) == 413
    assert status("change", unread) == 401
    api = new_api(stores, 1)
    assert [status("state", whole(b"{}")) for _ in range(11)] == [401] * 10 + [429]


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns at every chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_guesses_in_one_moment_are_all_counted(stores: Stores, restless: None) -> None:
    """They run in threads, and the clock is read between the look at the limit and the count."""

    def clock() -> float:
        os.sched_yield()
        return 0.0

    async def flood(name: str) -> Counter[int]:
        api = new_api(stores, 0, clock)
        body = json.dumps({"name": name, "client": "5"}).encode()
        asked = [Asked(api, "begin", whole(body)) for _ in range(20)]
        await asyncio.gather(*(one.answer for one in asked))
        return Counter(one.status for one in asked)

    for number in range(5):
        counted = asyncio.run(asyncio.wait_for(flood(f"name {number}"), PATIENCE))
        assert counted == {200: int(TRIES), 429: 20 - int(TRIES)}


def test_a_flood_of_sign_ins_is_worked_at_one_by_one_and_most_are_told_to_come_back(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other thread runs while one is worked at, and events need those of asyncio."""
    api, held = new_api(stores, 0), Held()

    def noted(*_: object) -> Challenge:
        with held.work():
            return Challenge("id", "00", "00", 5)

    async def begin(number: int) -> Asked:
        body = json.dumps({"name": f"name {number}", "client": "5"}).encode()
        asked = Asked(api, "begin", whole(body), f"192.0.2.{number}")
        await asked.answer
        if asked.status == 503:
            held.sent_away.set()
        return asked

    async def flood() -> list[Asked]:
        return await asyncio.gather(*(begin(number) for number in range(checks.MOST_WAITING + 10)))

    monkeypatch.setattr(member_records, "begin_sign_in", noted)
    asked = asyncio.run(flood())
    counted = Counter(one.status for one in asked)
    assert held.most == checks.AT_ONCE
    assert counted[200] >= checks.MOST_WAITING
    assert counted[503] >= 1
    assert counted[200] + counted[503] == len(asked)
    assert {json.loads(one.body)["code"] for one in asked if one.status == 503} == {"busy"}


@pytest.mark.parametrize(
    ("verb", "body", "status"), [("begin", {"client": "5"}, 200), ("prove", {"id": "a", "proof": "00"}, 401)]
)
def test_a_known_machine_signs_in_amid_a_flood(
    stores: Stores, verb: str, body: dict[str, str], status: int
) -> None:
    member_records.join(stores.control, Account("ann", "x", "00", "00", "5", "{}"), 0)
    api = new_api(stores, 0)
    api._checks._waiting = checks.MOST_WAITING
    for known, wanted in (("", 503), ("x.y", 503), (new_mark("4"), 503), (new_mark("5"), status)):
        told = {"name": "ann", "known": known, **body}
        asked = Asked(api, verb, whole(json.dumps(told).encode()))
        asyncio.run(asked.answer)
        assert asked.status == wanted, known


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("begin", {"name": "ann\0", "client": "5"}),
        ("begin", {"name": "ann", "client": "5", "known": "a\0.b"}),
        ("prove", {"id": "a\0", "proof": "00"}),
    ],
)
def test_a_text_with_a_nul_is_refused_on_every_store(stores: Stores, verb: str, body: dict[str, str]) -> None:
    """PostgreSQL takes none, and would seem to be away."""
    api = new_api(stores, 0)

    def ask(told: dict[str, str]) -> Asked:
        asked = Asked(api, verb, whole(json.dumps(told).encode()))
        asyncio.run(asked.answer)
        return asked

    refused = ask(body)
    assert (refused.status, json.loads(refused.body)["code"]) == (400, "bad_body")
    seen = ask({name: text.replace("\0", "") for name, text in body.items()})
    assert seen.status == (200 if verb == "begin" else 401)

"""Many requests for the page at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from collector.base.http import ClientGone, Receive, Scope, Send
from collector.serve.crowd import MOST_AT_ONCE, CrowdedPage
from collector.settings import read_settings


class Visit:
    """A request for the page, and the status of its answer."""

    def __init__(self, page: CrowdedPage, address: str) -> None:
        self.statuses: list[int] = []
        scope = {"path": "/", "client": (address, 1), "headers": []}
        self.task = asyncio.ensure_future(page(scope, self.receive, self.send))

    async def receive(self) -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.statuses.append(message["status"])


def test_who_asks_for_most_makes_way_and_nothing_piles_up() -> None:
    async def visits() -> None:
        now, opened = 0.0, asyncio.Event()

        async def page(_scope: Scope, _receive: Receive, send: Send) -> None:
            await opened.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        crowded = CrowdedPage(page, read_settings({"HOME": "/nowhere"}), lambda: now)
        honest = Visit(crowded, "192.0.2.1")
        strangers = []
        for number in range(300):
            now += 0.01
            strangers.append(Visit(crowded, f"192.0.2.{2 + number % 3}"))
            for _ in range(5):  # until who made way has answered
                await asyncio.sleep(0)
        waiting = [visit for visit in strangers if not visit.task.done()]
        assert len(waiting) == MOST_AT_ONCE - 1
        assert waiting == strangers[-len(waiting) :]
        opened.set()
        await asyncio.gather(*(visit.task for visit in (honest, *strangers)))
        assert honest.statuses == [200]
        assert {visit.statuses[0] for visit in strangers[: -len(waiting)]} == {503}
        assert {visit.statuses[0] for visit in waiting} == {200}

    asyncio.run(visits())


def test_a_program_is_told_in_json_that_the_page_is_busy() -> None:
    async def visits() -> None:
        async def page(*_: object) -> None:
            await asyncio.Event().wait()

        crowded = CrowdedPage(page, read_settings({"HOME": "/nowhere"}), lambda: 0.0)
        said = list[MutableMapping[str, Any]]()

        async def send(message: MutableMapping[str, Any]) -> None:
            said.append(message)

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.disconnect"}

        scope: Scope = {"path": "/installs.json", "client": ("192.0.2.1", 1), "headers": []}
        tasks = [asyncio.ensure_future(crowded(scope, receive, send)) for _ in range(MOST_AT_ONCE + 1)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        start, body = said[:2]
        assert (start["status"], json.loads(body["body"])["code"]) == (503, "service_unavailable")
        assert (b"retry-after", b"5") in start["headers"]

    asyncio.run(visits())


def test_a_request_that_is_cancelled_by_others_ends() -> None:
    async def visit() -> None:
        async def page(*_: object) -> None:
            await asyncio.Event().wait()

        crowded = CrowdedPage(page, read_settings({"HOME": "/nowhere"}), lambda: 0.0)
        made = Visit(crowded, "192.0.2.1")
        await asyncio.sleep(0)
        made.task.cancel()
        await asyncio.wait([made.task])
        assert made.task.cancelled()
        assert made.statuses == []

    asyncio.run(visit())


def test_an_answer_in_pieces_that_makes_way_breaks_off() -> None:
    """Its client was told 200 already: a second answer behind it would be read as part of the first."""

    async def visits() -> None:
        now = 0.0

        async def page(_scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.Event().wait()

        crowded = CrowdedPage(page, read_settings({"HOME": "/nowhere"}), lambda: now)
        readers = []
        for _ in range(MOST_AT_ONCE + 1):
            now += 0.01
            readers.append(Visit(crowded, "192.0.2.1"))
            await asyncio.sleep(0)
        done, waiting = await asyncio.wait([one.task for one in readers], return_when=asyncio.FIRST_COMPLETED)
        assert {type(task.exception()) for task in done} == {ClientGone}
        assert {tuple(one.statuses) for one in readers} == {(200,)}
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    asyncio.run(visits())


def test_an_answer_in_pieces_that_gets_on_stays() -> None:
    """An export takes long. By that alone, a few strangers with short requests would break it off."""

    async def visits() -> None:
        now, over = 0.0, asyncio.Event()

        async def page(scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while not over.is_set():
                if scope["client"][0] == "192.0.2.1":
                    await send({"type": "http.response.body", "body": b"1,2\r\n", "more_body": True})
                await asyncio.sleep(0)

        crowded = CrowdedPage(page, read_settings({"HOME": "/nowhere"}), lambda: now)
        reader = Visit(crowded, "192.0.2.1")
        await asyncio.sleep(0)
        now += 60
        strangers = []
        for number in range(3 * MOST_AT_ONCE):
            now += 0.01
            strangers.append(Visit(crowded, f"192.0.2.{2 + number % 3}"))
            for _ in range(5):
                await asyncio.sleep(0)
        assert not reader.task.done()
        assert sum(visit.task.done() for visit in strangers) == 2 * MOST_AT_ONCE + 1
        over.set()
        await asyncio.gather(*(visit.task for visit in (reader, *strangers)), return_exceptions=True)
        assert reader.task.exception() is None

    asyncio.run(visits())

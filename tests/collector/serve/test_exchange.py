"""Answers, as an ASGI application gives them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from collector.base.http import App, Receive, Scope, Send
from collector.serve.connection import Connection
from collector.serve.host import Host
from collector.settings import read_settings

GET = b"GET / HTTP/1.1\r\n\r\n"


def talk(app: App, *sent: bytes) -> bytes:
    """All that comes back for these bytes; the client ends when it has sent them."""

    async def conversation() -> bytes:
        loop = asyncio.get_running_loop()
        host = Host(app, read_settings({"HOME": "/nowhere"}), loop.time, 10)
        server = await loop.create_server(lambda: Connection(host), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for part in sent:
            writer.write(part)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        server.close()
        await host.empty.wait()
        return answer

    return asyncio.run(asyncio.wait_for(conversation(), 60))


def app_that_sends(*messages: dict[str, Any]) -> App:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        if len(messages) < 2 or messages[-1].get("more_body"):
            raise KeyError("what a client sent")

    return app


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


LENGTH = (b"content-length", b"3")


def test_a_length_or_chunks_tell_where_the_answer_ends() -> None:
    known = app_that_sends(start(LENGTH), part(b"a", more=True), part(b"bc"))
    assert talk(known, GET).endswith(b"\r\ncontent-length: 3\r\n\r\nabc")
    chunks = app_that_sends(start(), part(b"", more=True), part(b"a" * 20, more=True), part(b"b"))
    both = talk(chunks, GET * 2)
    assert (
        both.count(b"transfer-encoding: chunked\r\n\r\n14\r\n" + b"a" * 20 + b"\r\n1\r\nb\r\n0\r\n\r\n") == 2
    )
    old = talk(chunks, b"GET / HTTP/1.0\r\n\r\n")
    assert old.endswith(b"connection: close\r\n\r\n" + b"a" * 20 + b"b")
    assert b"chunked" not in old


def test_head_and_no_content_have_no_body() -> None:
    for app in (app_that_sends(start(LENGTH), part(b"abc")), app_that_sends(start(), part(b"abc"))):
        head = talk(app, b"HEAD / HTTP/1.1\r\n\r\n" + GET)
        first, _, rest = head.partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 200")
        assert rest.startswith(b"HTTP/1.1 200")
    assert talk(app_that_sends(start(status=204), part(b"")), GET).endswith(b"GMT\r\n\r\n")


def test_a_failure_is_a_500_or_an_end_without_an_end(caplog: pytest.LogCaptureFixture) -> None:
    for broken in (
        app_that_sends(),
        app_that_sends(start(LENGTH)),
        app_that_sends(start((b"a", b"b\r\nc: d")), part(b"")),
        app_that_sends(start((b"a", b"b\0")), part(b"")),
        app_that_sends(start(LENGTH), part(b"ab")),
        app_that_sends(start(LENGTH), part(b"abcd")),
    ):
        answer = talk(broken, GET * 2)
        assert answer.count(b"HTTP/1.1 500") == 2
        assert b"c: d" not in answer
    cut = talk(app_that_sends(start(), part(b"abc", more=True)), GET * 2)
    assert cut.count(b"HTTP/1.1 200") <= 1
    assert b"\r\n0\r\n" not in cut
    assert "what a client sent" not in caplog.messages
    assert set(caplog.messages) == {"a request failed with KeyError", "a request failed with ValueError"}


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    await send(start((b"content-length", b"%d" % len(body))))
    await send(part(body))


def test_a_client_that_asks_first_is_not_told_to_send_what_is_refused() -> None:
    asks = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    refused = talk(app_that_sends(start(LENGTH, status=413), part(b"abc")), asks)
    assert refused.startswith(b"HTTP/1.1 413")
    assert b"100 Continue" not in refused
    assert b"connection: close" in refused


def test_what_remains_of_a_body_after_the_answer_is_dropped() -> None:
    post = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % 1_000_000 + b"x" * 1_000_000
    answers = talk(app_that_sends(start(LENGTH), part(b"abc")), post * 3)
    assert answers.count(b"HTTP/1.1 200") == 3


def test_large_bodies_come_whole() -> None:
    body = bytes(range(256)) * 4000
    assert talk(echo, b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body), body).endswith(body)


async def impatient(scope: Scope, receive: Receive, send: Send) -> None:
    """Wait for the end of the connection after the body."""
    while (await receive())["type"] != "http.disconnect":
        pass
    await send(start())


def test_an_application_is_told_that_the_client_left() -> None:
    assert talk(impatient, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n", b"ab") == b""


def test_an_answer_in_pieces_ends_when_its_client_is_gone() -> None:
    """However much of it is left: nobody reads a long list for no one."""
    ended: list[asyncio.Event] = []

    async def endless(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start())
        try:
            while True:
                await send(part(b"x" * 65_536, more=True))
                await asyncio.sleep(0)
        except ConnectionResetError:
            ended[0].set()
            raise

    async def visit() -> None:
        ended.append(asyncio.Event())
        host = Host(endless, read_settings({"HOME": "/nowhere"}), asyncio.get_running_loop().time, 10)
        server = await asyncio.get_running_loop().create_server(lambda: Connection(host), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(GET)
        assert await reader.readexactly(300_000)
        assert not ended[0].is_set()
        writer.transport.abort()
        server.close()
        await host.empty.wait()
        await ended[0].wait()

    asyncio.run(asyncio.wait_for(visit(), 60))

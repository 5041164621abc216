"""Connections: slow, silent, endless and malformed clients are cut off."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from collector.serve.protocol import bounded_protocol
from collector.settings import read_settings
from tests.collector.running import Collector, basic, conversation
from tests.wait import until

HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def answers(client: socket.socket, count: int) -> None:
    """Read so many answers of `/healthz`."""
    read = b""
    while read.count(b"ok\n") < count:
        read += client.recv(65536)


def test_who_is_slow_is_cut_off(running: Collector) -> None:
    head = f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(running.key)}\r\n".encode()
    assert conversation(running, head).startswith(b"HTTP/1.1 408")
    assert conversation(running, head + b"Content-Length: 50\r\n\r\n{").startswith(b"HTTP/1.1 408")
    assert conversation(running, head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{").startswith(
        b"HTTP/1.1 408"
    )


def test_who_says_nothing_is_cut_off_without_a_word(running: Collector) -> None:
    """408 is for a request that has begun; what is sent here is none, and holds nobody's attention."""
    assert conversation(running, b"") == b""
    assert conversation(running, b"\r\n") == b""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(HEALTHZ)
        answers(client, 1)
        client.sendall(b"\r\n")
        assert client.recv(1) == b""


def test_who_does_not_read_is_cut_off(running: Collector) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", running.port))

        def cut_off() -> bool:
            try:
                client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
            except ConnectionError:
                return True
            return running.get("/healthz").status != 200  # by now the server has read the five

        until(cut_off, 20)


def test_who_sends_on_without_reading_is_cut_off(running: Collector) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(HEALTHZ * 8)
        answers(client, 8)
    assert b"HTTP/1.1 400" in conversation(running, HEALTHZ * 5000)


def test_a_head_without_end_is_cut_off(running: Collector) -> None:
    assert conversation(running, b"GET / HTTP/1.1\r\nX: ", *[b"x" * 4096] * 50) == b""
    assert conversation(running, b"GET /", *[b"x" * 4096] * 50) == b""
    ended = conversation(running, b"GET / HTTP/1.1\r\n", *[b"a: b\r\n" * 100] * 100)
    assert ended == b"" or ended.startswith(b"HTTP/1.1 400")


def test_headers_are_counted_however_they_come(running: Collector) -> None:
    many = b"a: b\r\n" * 4000
    assert conversation(running, b"GET /healthz HTTP/1.1\r\n" + many + b"\r\n").startswith(b"HTTP/1.1 400")
    head = b"POST /v1/track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b"HTTP/1.1 400" in conversation(running, head + b"0\r\n", many, b"\r\n")


def test_a_body_is_never_the_next_request(running: Collector) -> None:
    """As a parser takes it that is told to make way for another protocol."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    head = b"POST /v1/track HTTP/1.1\r\nHost: x\r\n" + upgrade
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(HEALTHZ))
        answer = client.recv(65536)
        with contextlib.suppress(ConnectionError):
            client.sendall(HEALTHZ)
            while data := client.recv(65536):
                answer += data
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
    upgrade = b"\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert b"ok\n" in conversation(running, HEALTHZ.replace(b"\r\n\r\n", upgrade))


def test_a_body_without_end_is_cut_off(running: Collector) -> None:
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(running.key)}\r\n".encode()
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    answer = conversation(running, head + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 60)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    declared = conversation(running, head + b"Content-Length: 99999999999\r\n\r\n")
    assert declared.startswith(b"HTTP/1.1 413")


class Wire(asyncio.Transport):
    """A connection from an address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address, self.sent = address, b""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self.address, 1) if name == "peername" else default

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False


def test_a_network_of_ipv6_is_one_peer_of_connections_too() -> None:
    async def refused(addresses: list[str]) -> int:
        settings = read_settings({"HOME": "/nowhere", "ROLLCALL_COLLECTOR_MAX_CONNECTIONS": "10"})
        config = uvicorn.Config(lambda: None, lifespan="off")
        config.load()
        protocol, state = bounded_protocol(settings), ServerState()
        wires = [Wire(address) for address in addresses]
        for wire in wires:
            protocol(config, state, {}).connection_made(wire)
        return sum(wire.sent.startswith(b"HTTP/1.1 503") for wire in wires)

    assert asyncio.run(refused([f"2001:db8:0:{n}::1" for n in range(8)])) == 0
    assert asyncio.run(refused([f"2001:db8::{n}" for n in range(8)])) == 3


def test_one_peer_cannot_take_every_connection(start: Callable[..., Collector], tmp_path: Path) -> None:
    collector = start(f"sqlite:///{tmp_path}/m.db", ROLLCALL_COLLECTOR_MAX_CONNECTIONS="20")
    with contextlib.ExitStack() as held:
        for _ in range(10):
            held.enter_context(socket.create_connection(("127.0.0.1", collector.port)))
        assert conversation(collector, b"").startswith(b"HTTP/1.1 503")
        other = held.enter_context(socket.socket())
        other.bind(("127.0.0.2", 0))
        other.connect(("127.0.0.1", collector.port))
        other.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert other.recv(100).startswith(b"HTTP/1.1 200")

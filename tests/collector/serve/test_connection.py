"""Connections: slow, silent, endless and malformed clients are cut off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.serve.connection import Connection
from collector.serve.host import Host
from collector.settings import read_settings
from tests.collector.running import Collector, basic, conversation, event
from tests.wait import PATIENCE, until

HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def answers(client: socket.socket, count: int) -> None:
    """Read so many answers of `/healthz`."""
    read = b""
    while read.count(b"ok\n") < count:
        read += client.recv(65536)


def test_who_is_slow_is_cut_off(hasty: Collector) -> None:
    head = f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(hasty.key)}\r\n".encode()
    assert conversation(hasty, head).startswith(b"HTTP/1.1 408")
    assert conversation(hasty, head + b"Content-Length: 50\r\n\r\n{").startswith(b"HTTP/1.1 408")
    assert conversation(hasty, head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{").startswith(b"HTTP/1.1 408")


def test_who_says_nothing_is_cut_off_without_a_word(hasty: Collector) -> None:
    """408 is for a request that has begun; what is sent here is none, and holds nobody's attention."""
    assert conversation(hasty, b"") == b""
    assert conversation(hasty, b"\r\n") == b""


def test_who_does_not_read_is_cut_off(hasty: Collector) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", hasty.port))

        def cut_off() -> bool:
            try:
                client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
            except ConnectionError:
                return True
            return hasty.get("/healthz").status != 200  # by now the server has read the five

        until(cut_off)


def test_who_sends_ahead_gets_every_answer_in_order(start: Callable[..., Collector], tmp_path: Path) -> None:
    collector = start(f"sqlite:///{tmp_path}/p.db")
    head = f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(collector.key)}\r\n".encode()
    requests, expected = [], []
    for number in range(200):
        body = json.dumps(event(messageId=f"m{number}", p="\r\n\r\n" + "x" * (number * 7))).encode()
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        chunks = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        requests += [
            HEALTHZ.replace(b"healthz", b"v1/track"),
            head + (chunks if number % 2 else length + body),
        ]
        expected += [b"405", b"200"]
    requests.append(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n" * 2)
    answer = conversation(collector, b"".join(requests))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [*expected, b"200"]
    assert {stored["messageId"] for stored in collector.export()} == {f"m{number}" for number in range(200)}
    assert collector.stop() == ""


def test_who_says_that_it_sends_no_more_gets_its_answers(running: Collector) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE) as client:
        client.sendall(HEALTHZ * 30)
        client.shutdown(socket.SHUT_WR)
        answers(client, 30)
        assert client.recv(1) == b""


def test_what_cannot_be_read_comes_after_the_answers_to_what_could(running: Collector) -> None:
    answer = conversation(running, HEALTHZ * 3 + b"no request\r\n\r\n" + HEALTHZ)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200"] * 3 + [b"400"]


def test_a_client_that_asks_first_is_told_to_send(running: Collector) -> None:
    head = f"POST /v1/track HTTP/1.1\r\nAuthorization: {basic(running.key)}\r\nExpect: 100-continue\r\n"
    body = json.dumps(event()).encode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE) as client:
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_head_without_end_is_cut_off(running: Collector) -> None:
    for begin in (b"GET / HTTP/1.1\r\nX: ", b"GET /"):
        ended = conversation(running, begin, *[b"x" * 4096] * 50)
        assert ended == b"" or ended.startswith(b"HTTP/1.1 431")
    ended = conversation(running, b"GET / HTTP/1.1\r\n", *[b"a: b\r\n" * 100] * 100)
    assert ended == b"" or ended.startswith(b"HTTP/1.1 431")


def test_headers_are_counted_however_they_come(running: Collector) -> None:
    many = (b"a: " + b"b" * 150 + b"\r\n") * 150
    assert conversation(running, b"GET /healthz HTTP/1.1\r\n" + many + b"\r\n").startswith(b"HTTP/1.1 431")
    head = b"POST /v1/track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b"HTTP/1.1 431" in conversation(running, head + b"0\r\n", many, b"\r\n")


def test_a_body_is_never_the_next_request(running: Collector) -> None:
    """As a parser takes it that is told to make way for another protocol."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    head = b"POST /v1/track HTTP/1.1\r\nHost: x\r\n" + upgrade
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE) as client:
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


def test_a_body_without_end_is_cut_off(hasty: Collector) -> None:
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(hasty.key)}\r\n".encode()
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"

    def sent_in_time() -> list[bytes]:
        """What comes back, if this machine sent it within the two seconds that the server waits."""
        answer = conversation(hasty, head + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 60)
        return [] if answer.startswith(b"HTTP/1.1 408") else [answer]

    (answer,) = until(sent_in_time)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    declared = conversation(hasty, head + b"Content-Length: 99999999999\r\n\r\n")
    assert declared.startswith(b"HTTP/1.1 413")


async def no_app(*_: object) -> None:
    await asyncio.Event().wait()


class Wire(asyncio.Transport):
    """A connection from an address; what was sent on it, and whether it was closed, or cut off."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address, self.sent, self.closed = address, b"", False
        self.unread, self.cut_off = 0, False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self.address, 1) if name == "peername" else default

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.cut_off = True

    def get_write_buffer_size(self) -> int:
        return self.unread

    def pause_reading(self) -> None:
        pass


class Lobby:
    """Connections to a server without a socket, at a time that the test sets."""

    def __init__(self, **settings: str) -> None:
        self.now = 100.0
        settings = {f"ROLLCALL_COLLECTOR_{name}": value for name, value in settings.items()}
        bounds = read_settings({"HOME": "/nowhere", **settings})
        self.host = Host(no_app, bounds, lambda: self.now, bounds.max_connections)

    def connect(self, address: str, sent: bytes = b"") -> tuple[Wire, Connection]:
        wire, made = Wire(address), Connection(self.host)
        made.connection_made(wire)
        self.send(made, sent)
        return wire, made

    def send(self, made: Connection, data: bytes) -> None:
        self.host.buffer[: len(data)] = data
        made.buffer_updated(len(data))


def test_a_connection_makes_way_in_the_network_that_has_most() -> None:
    """A network of IPv6 is one peer."""
    lobby = Lobby(MAX_CONNECTIONS="10")

    def connect(address: str) -> Wire:
        lobby.now += 1
        return lobby.connect(address)[0]

    honest = connect("2001:db8:0:9::1")
    wires = [connect(f"2001:db8::{n}") for n in range(8)]
    assert [wire.closed for wire in wires] == [True] * 3 + [False] * 5
    others = [connect(f"2001:db8:0:{n}::1") for n in range(5)]
    assert [wire.closed for wire in wires] == [True] * 4 + [False] * 4
    assert not any(wire.closed for wire in others)
    assert not honest.closed
    assert {wire.sent for wire in wires} == {b""}


def test_who_has_begun_a_request_is_told_that_it_makes_way() -> None:
    lobby = Lobby(MAX_CONNECTIONS="4")
    begun, _ = lobby.connect("192.0.2.1", b"GET / HT")
    lobby.now += 1
    for n in range(2, 7):
        lobby.connect(f"192.0.2.{n}")
    assert begun.closed
    assert begun.sent.startswith(b"HTTP/1.1 503")
    assert b"retry-after" in begun.sent


def test_who_does_not_read_the_last_answer_has_room_until_the_connection_is_gone() -> None:
    """Its descriptor stays as long: else a stranger could take them all, and nobody else could connect."""
    lobby = Lobby(MAX_CONNECTIONS="4")
    made = []
    for _ in range(4):
        lobby.now += 1
        made.append(lobby.connect("192.0.2.1", b"no request\r\n\r\n"))
        wire, _ = made[-1]
        assert wire.closed
        wire.unread = len(wire.sent)
    assert [wire.cut_off for wire, _ in made] == [True, True, False, False]
    assert lobby.host.room.used == 2
    made[-1][1].connection_lost(None)
    assert lobby.host.room.used == 1


def test_a_new_connection_is_refused_where_nobody_makes_way() -> None:
    lobby = Lobby(MAX_CONNECTIONS="1")
    refused, _ = lobby.connect("192.0.2.1")
    assert refused.closed
    assert refused.sent.startswith(b"HTTP/1.1 503")


def test_a_named_proxy_may_have_every_connection() -> None:
    lobby = Lobby(MAX_CONNECTIONS="4", TRUSTED_PROXIES="192.0.2.0/24")
    wires = [lobby.connect("192.0.2.1")[0] for _ in range(4)]
    assert not any(wire.closed for wire in wires)


def test_an_idle_connection_is_closed_in_its_time() -> None:
    """New ones have TIMEOUT, and 30 s after an answer; empty lines are no request."""
    lobby = Lobby(TIMEOUT="10")
    wire, made = lobby.connect("192.0.2.1", b"\r\n")
    assert made.due == lobby.now + 10
    lobby.now += 9
    lobby.send(made, b"\r\n")
    assert made.due == lobby.now + 1
    made.late()
    assert wire.closed
    assert wire.sent == b""


def test_one_peer_cannot_take_every_connection(start: Callable[..., Collector], tmp_path: Path) -> None:
    collector = start(f"sqlite:///{tmp_path}/m.db", ROLLCALL_COLLECTOR_MAX_CONNECTIONS="20")
    with contextlib.ExitStack() as held:
        idle = [
            held.enter_context(socket.create_connection(("127.0.0.1", collector.port))) for _ in range(11)
        ]
        assert idle[0].recv(1) == b""
        assert collector.get("/healthz").status == 200
        other = held.enter_context(socket.socket())
        other.bind(("127.0.0.2", 0))
        other.connect(("127.0.0.1", collector.port))
        other.sendall(HEALTHZ)
        assert other.recv(100).startswith(b"HTTP/1.1 200")

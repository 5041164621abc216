"""Strangers: whatever comes in, the server answers, keeps its bounds, and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from collector.base.events import Event
from collector.base.http import Refused
from collector.ingest import decode
from collector.ingest.decode import MAX_BATCH, MAX_DEPTH, MAX_EVENT, MAX_REQUEST
from collector.serve.protocol import bounded_protocol
from collector.settings import read_settings
from tests.collector.running import Collector, basic
from tests.wait import until

NOW = 1_795_168_800_000
Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ["type", "event", "messageId", "anonymousId", "timestamp", "originalTimestamp", "sentAt", "context"]
Field = st.sampled_from(
    [*FIELDS, "properties", "userId", "name", "writeKey", "receivedAt", "batch", "integrations"]
)
CATALOGUE = ["track", "page", "Instance Active", "Installation Errors"]
Hostile = st.dictionaries(Field, Json | st.sampled_from(CATALOGUE), max_size=8)


def read(body: bytes) -> list[Event]:
    return list(decode.events_in(body, "batch", 1, NOW))


def check(body: bytes) -> None:
    """The decoder's whole contract: events that can be stored, or a refusal with a 4xx."""
    try:
        found = read(body)
    except Refused as refused:
        assert 400 <= refused.status < 500  # noqa: PT017 - either outcome is right
        return
    for event in found:
        assert len(event.id) == 16
        assert 0 < event.time <= event.received == NOW
        json.loads(event.body)
        for text in (event.type, event.name, event.body, *(event.fact or ())):
            if isinstance(text, str):
                assert "\0" not in text
                text.encode()


@given(st.lists(Hostile, max_size=4), st.dictionaries(Field, Json, max_size=4))
def test_any_json_is_events_or_a_refusal(batch: list[Any], root: dict[str, Any]) -> None:
    with contextlib.suppress(UnicodeEncodeError):
        check(json.dumps({**root, "batch": batch}).encode())


@given(st.binary(max_size=200), st.integers(0, 150))
def test_any_bytes_are_events_or_a_refusal(noise: bytes, at: int) -> None:
    check(noise)
    good = (
        b'{"batch":[{"event":"Instance Active","anonymousId":"a","context":{"ip":"1.2.3.4"}}],"sentAt":null}'
    )
    check(good[:at] + noise + good[at:])
    with contextlib.suppress(Refused):
        check(decode.unzip_body(noise))


def nested(levels: int) -> bytes:
    """A batch with an event of so many levels."""
    return b'{"batch":[{"event":"x","p":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}]}"


BAD = {
    "deep": b'{"batch":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep event": b'{"batch":[{"event":"x","p":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}]}",
    "an event a level too deep": nested(MAX_DEPTH + 1),
    "no UTF-8 in an event": b'{"batch":[{"event":"\xff"}]}',
    "no UTF-8 in what is shared": b'{"batch":[{"event":"x"}],"context":{"a":"\xff"}}',
    "no UTF-8 in when it was sent": b'{"batch":[{"event":"x"}],"sentAt":"\xff"}',
    "not JSON": b"\x00\xff{",
    "an array": b"[1]",
    "no batch": b"{}",
    "a batch of numbers": b'{"batch":[1]}',
    "a type of its own": b'{"batch":[{"type":"delete"}]}',
    "a track without a name": b'{"batch":[{"type":"track"}]}',
    "a long message id": b'{"batch":[{"event":"x","messageId":"' + b"m" * 101 + b'"}]}',
    "a huge number of digits": b'{"batch":[{"event":"x","p":' + b"9" * 5000 + b"}]}",
    "bad gzip": b"\x1f\x8b" + b"x" * 100,
    "half a gzip": gzip.compress(b'{"batch":[]}')[:-9],
}
LARGE = {
    "an event": {"batch": [{"event": "x", "p": "x" * (MAX_EVENT + 1000)}]},
    "a batch": {"batch": [{"event": "x"}] * (MAX_BATCH + 1)},
    "a request": {"batch": [{"event": "x", "p": "x" * 30_000}] * 20},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    home = tmp_path_factory.mktemp("collector")
    started = Collector(home, f"sqlite:///{home}/c.db", ROLLCALL_COLLECTOR_TIMEOUT="2").start()
    yield started
    assert started.post("/v1/track", {"event": "still there"}).status == 200
    said = started.stop()
    assert "still there" not in said
    assert started.key not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", BAD)
def test_what_can_never_be_taken_is_400(running: Collector, name: str) -> None:
    reply = running.post("/v1/batch", BAD[name])
    assert reply.status == 400
    assert {"code", "message"} <= set(reply.json())


def test_an_event_may_be_as_deep_as_it_is_said(running: Collector) -> None:
    assert running.post("/v1/batch", nested(MAX_DEPTH)).status == 200


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_413(running: Collector, name: str) -> None:
    assert running.post("/v1/batch", LARGE[name]).status == 413


def test_what_we_add_to_an_event_is_not_held_against_it(running: Collector) -> None:
    event = {"event": "x", "messageId": "m" * 36, "anonymousId": "a" * 36, "p": ""}
    event["p"] = "x" * (MAX_EVENT - len(json.dumps(event, separators=(",", ":"))))
    body = {"batch": [event], "sentAt": "2026-11-20T12:00:00.000Z"}
    assert running.post("/v1/batch", body).status == 200


def test_a_long_text_where_a_time_belongs_is_not_remembered() -> None:
    tracemalloc.start()
    try:
        kept = "\U0001f600" * 100_000
        noticed = tracemalloc.get_traced_memory()[0]
        assert noticed > len(kept)
        for n in range(20):
            with contextlib.suppress(Refused):
                read(json.dumps({"batch": [{"event": "x"}], "sentAt": f"{n}{kept}"}).encode())
        assert tracemalloc.get_traced_memory()[0] < 3 * noticed
    finally:
        tracemalloc.stop()


def test_a_bomb_is_refused_without_being_unpacked(running: Collector) -> None:
    def peak() -> int:
        assert running.process is not None
        status = Path(f"/proc/{running.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])

    before = peak()
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(bomb.compress(b" " * 1_000_000) for _ in range(400)) + bomb.flush()
    assert len(data) < MAX_REQUEST
    assert running.post("/v1/batch", data, Content_Encoding="gzip").status == 413
    assert peak() - before < 8 * 1024


def test_what_a_batch_shares_does_not_multiply(running: Collector) -> None:
    """A request that is small may not make the server keep what is large."""
    shared = {"context": {"x": "x" * 20_000}}
    assert running.post("/v1/batch", {"batch": [{"event": "x"}] * 50, **shared}).status == 200
    assert running.post("/v1/batch", {"batch": [{"event": "x"}] * MAX_BATCH, **shared}).status == 413


@pytest.mark.parametrize(
    "odd",
    [
        b'{"event":"lone \\ud800 surrogate"}',
        b'{"event":"NUL \\u0000 in it"}',
        b'{"event":"x","p":NaN,"q":-Infinity,"r":1e999}',
        b'\xef\xbb\xbf{"event":"x"}',
        b'{"event":"x","timestamp":"9999-99-99","sentAt":{},"context":7,"properties":[]}',
        b'{"event":"Installation Errors","anonymousId":"a","properties":{"line":1e300,"exitCode":"x"}}',
    ],
)
def test_what_real_clients_send_that_is_no_json_is_kept(running: Collector, odd: bytes) -> None:
    before = len(running.export())
    assert running.post("/v1/track", odd).status == 200
    assert len(running.export()) == before + 1


def conversation(collector: Collector, *parts: bytes) -> bytes:
    """All that comes back for these bytes; the client never hangs up first."""
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as client:
        for part in parts:
            with contextlib.suppress(ConnectionError):
                client.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while data := client.recv(65536):
                answer += data
        return answer


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


def test_what_is_unpacked_counts_as_memory_too(start: Callable[..., Collector], tmp_path: Path) -> None:
    collector = start(f"sqlite:///{tmp_path}/z.db", ROLLCALL_COLLECTOR_MEMORY="400000")
    large = {"batch": [{"event": "x", "p": "x" * 30_000}] * 10}
    packed = gzip.compress(json.dumps(large).encode())
    assert len(packed) < 20_000
    for _ in range(3):
        assert collector.post("/v1/batch", packed).status == 503
    assert collector.post("/v1/track", {"event": "x"}).status == 200
    assert "rollcall_waiting_bytes 0.0" in collector.get("/metrics").body.decode()


def test_a_source_and_a_peer_have_their_rate(start: Callable[..., Collector], tmp_path: Path) -> None:
    for name in ("ROLLCALL_COLLECTOR_RATE", "ROLLCALL_COLLECTOR_PEER_RATE"):
        limited = start(f"sqlite:///{tmp_path}/{name}.db", **{name: "5"})
        replies = [limited.post("/v1/track", {"event": "x"}) for _ in range(30)]
        assert {reply.status for reply in replies} == {200, 429}
        refused = next(reply for reply in replies if reply.status == 429)
        assert int(refused.headers["Retry-After"]) >= 1


def test_a_forged_forwarding_header_makes_no_other_peer(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    settings = {"ROLLCALL_COLLECTOR_PEER_RATE": "5"}
    open_one = start(f"sqlite:///{tmp_path}/a.db", **settings)
    behind = start(f"sqlite:///{tmp_path}/b.db", **settings, ROLLCALL_COLLECTOR_TRUSTED_PROXIES="127.0.0.1")
    for collector, expected in ((open_one, {200, 429}), (behind, {200})):
        seen = {
            collector.post("/v1/track", {"event": "x"}, X_Forwarded_For=f"9.9.9.{number}").status
            for number in range(30)
        }
        assert seen == expected
    left = {
        behind.post("/v1/track", {"event": "x"}, X_Forwarded_For=f"{n}.1.1.1, 8.8.8.8").status
        for n in range(30)
    }
    assert left == {200, 429}


def test_a_trailer_names_no_peer(start: Callable[..., Collector], tmp_path: Path) -> None:
    """Or guesses of a password would be without limit behind a proxy that hands trailers on."""
    collector = start(f"sqlite:///{tmp_path}/t.db", ROLLCALL_COLLECTOR_TRUSTED_PROXIES="127.0.0.1")
    collector.verb("users", "add", "ada", stdin="correct horse battery\n")
    shown = collector.get("/signin")
    token = re.search(rb'name="token" value="([^"]*)"', shown.body)
    assert token
    form = urlencode({"name": "ada", "password": "wrong", "token": token[1].decode()}).encode()
    head = (
        "POST /signin HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n"
        f"Cookie: {shown.headers['Set-Cookie'].partition(';')[0]}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    seen = [
        conversation(collector, head + b"%x\r\n" % len(form) + form + b"\r\n0\r\n" + trailer + b"\r\n")[9:12]
        for trailer in (b"X-Forwarded-For: 198.51.100.%d\r\n" % n for n in range(7))
    ]
    assert seen == [b"403"] * 5 + [b"429"] * 2


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


def test_what_waits_in_memory_is_bounded(start: Callable[..., Collector], tmp_path: Path) -> None:
    settings = {"ROLLCALL_COLLECTOR_MEMORY": "400000", "ROLLCALL_COLLECTOR_TIMEOUT": "3"}
    collector = start(f"sqlite:///{tmp_path}/w.db", **settings)
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(collector.key)}\r\n".encode()
    answers: list[bytes] = []

    def send() -> None:
        answers.append(conversation(collector, head + b"Content-Length: 400000\r\n\r\n" + b" " * 150_000))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    busy = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503")]
    assert len(busy) == 3
    assert b"retry-after" in busy[0]
    assert collector.post("/v1/track", {"event": "x"}).status == 200


def test_one_peer_cannot_take_all_memory(start: Callable[..., Collector], tmp_path: Path) -> None:
    """Nor without a key: a body is read before the key that may stand in it."""
    collector = start(
        f"sqlite:///{tmp_path}/p.db", ROLLCALL_COLLECTOR_MEMORY="400000", ROLLCALL_COLLECTOR_TIMEOUT="60"
    )
    head = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 190000\r\n\r\n"
    with contextlib.ExitStack() as held:
        client = held.enter_context(socket.create_connection(("127.0.0.1", collector.port)))
        client.sendall(head + b" " * 180_000)
        until(lambda: b"rollcall_waiting_bytes 180000.0" in collector.get("/metrics").body, 20)
        second = held.enter_context(socket.create_connection(("127.0.0.1", collector.port)))
        second.sendall(head + b" " * 30_000)
        assert second.recv(100).startswith(b"HTTP/1.1 503")
        other = held.enter_context(socket.socket())
        other.bind(("127.0.0.2", 0))
        other.connect(("127.0.0.1", collector.port))
        body = json.dumps({"event": "x", "p": "x" * 30_000}).encode()
        other.sendall(
            f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(collector.key)}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert other.recv(100).startswith(b"HTTP/1.1 200")

"""Memory that waiting requests may use."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tests.collector.running import Collector, basic, conversation
from tests.wait import until


def test_what_is_unpacked_counts_as_memory_too(start: Callable[..., Collector], tmp_path: Path) -> None:
    collector = start(f"sqlite:///{tmp_path}/z.db", ROLLCALL_COLLECTOR_MEMORY="400000")
    large = {"batch": [{"event": "x", "userId": "u", "p": "x" * 30_000}] * 10}
    packed = gzip.compress(json.dumps(large).encode())
    assert len(packed) < 20_000
    for _ in range(3):
        assert collector.post("/v1/batch", packed).status == 503
    assert collector.post("/v1/track", {"event": "x", "userId": "u"}).status == 200
    assert "rollcall_waiting_bytes 0.0" in collector.get("/metrics").body.decode()


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
    assert collector.post("/v1/track", {"event": "x", "userId": "u"}).status == 200


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
        body = json.dumps({"event": "x", "userId": "u", "p": "x" * 30_000}).encode()
        other.sendall(
            f"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(collector.key)}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert other.recv(100).startswith(b"HTTP/1.1 200")

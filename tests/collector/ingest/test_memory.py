"""Memory that waiting requests may use."""

from __future__ import annotations

import gzip
import json
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.collector.running import Collector, basic
from tests.wait import PATIENCE, until

UNHURRIED = """
import sys
from collector import cli
from collector.ingest import memory
memory.PROGRESS_SECONDS = 600.0
sys.exit(cli.main())
"""
"""A server that cuts off nobody whose body does not get on."""


def test_what_is_unpacked_counts_as_memory_too(start: Callable[..., Collector], tmp_path: Path) -> None:
    collector = start(f"sqlite:///{tmp_path}/z.db", ROLLCALL_COLLECTOR_MEMORY="400000")
    large = {"batch": [{"event": "x", "userId": "u", "p": "x" * 30_000}] * 10}
    packed = gzip.compress(json.dumps(large).encode())
    assert len(packed) < 20_000
    for _ in range(3):
        assert collector.post("/v1/batch", packed).status == 503
    assert collector.post("/v1/track", {"event": "x", "userId": "u"}).status == 200
    assert "rollcall_waiting_bytes 0.0" in collector.get("/metrics").body.decode()


class Sender:
    """A client with an address of its own, which sends a part of a batch."""

    def __init__(
        self, collector: Collector, address: str, key: str, sent: int, length: int = 174_000
    ) -> None:
        self.socket = socket.socket()
        self.socket.bind((address, 0))
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", collector.port))
        head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(key)}\r\n"
        self.socket.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + b" " * sent)

    def close(self) -> None:
        self.socket.close()

    @property
    def answer(self) -> bytes:
        return self.socket.recv(1000)


def connected(*arguments: Any) -> closing[Sender]:
    return closing(Sender(*arguments))


def held_bytes(collector: Collector) -> float:
    said = collector.get("/metrics").body.decode()
    return float(said.partition("\nrollcall_waiting_bytes ")[2].split()[0])


def test_what_waits_in_memory_is_bounded(start: Callable[..., Collector], tmp_path: Path) -> None:
    settings = {"ROLLCALL_COLLECTOR_MEMORY": "400000", "ROLLCALL_COLLECTOR_TIMEOUT": "600"}
    collector = start(f"sqlite:///{tmp_path}/w.db", **settings)
    one = (collector, "127.0.0.1", collector.key, 150_000, 400_000)
    with ExitStack() as opened:
        senders = [opened.enter_context(connected(*one)).socket for _ in range(4)]

        def answered() -> list[socket.socket]:
            return select.select(senders, [], [], 0)[0]

        busy = until(lambda: len(found := answered()) == 3 and found, why="all but one are refused")
        until(lambda: held_bytes(collector) == 150_000)  # it may still come in
        for refused in busy or []:
            answer = refused.recv(1000)
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"retry-after" in answer
            senders.remove(refused)
        assert collector.post("/v1/track", {"event": "x", "userId": "u"}).status == 200
        assert answered() == []


def test_who_holds_most_for_longest_makes_way(start: Callable[..., Collector], tmp_path: Path) -> None:
    """Of the peer that holds most: the others, and whoever asks, stay."""
    settings = {"ROLLCALL_COLLECTOR_MEMORY": "400000", "ROLLCALL_COLLECTOR_TIMEOUT": "600"}
    collector = start(f"sqlite:///{tmp_path}/p.db", **settings)
    with (
        connected(collector, "127.0.0.2", collector.key, 100) as small,
        connected(collector, "127.0.0.3", collector.key, 170_000) as large,
    ):
        until(lambda: held_bytes(collector) == 170_100)
        with connected(collector, "127.0.0.4", collector.key, 170_000) as other:
            until(lambda: held_bytes(collector) == 340_100)
            with connected(collector, "127.0.0.5", collector.key, 30_000, 30_000) as honest:
                assert honest.answer.startswith(b"HTTP/1.1 400")
            assert large.answer.startswith(b"HTTP/1.1 503")
            assert held_bytes(collector) == 170_100
            other.socket.sendall(b" " * 4_000)
            assert other.answer.startswith(b"HTTP/1.1 400")
        small.socket.sendall(b" " * 173_900)
        assert small.answer.startswith(b"HTTP/1.1 400")


@pytest.fixture
def unhurried(tmp_path: Path) -> Iterator[Collector]:
    settings = {"ROLLCALL_COLLECTOR_MEMORY": "400000", "ROLLCALL_COLLECTOR_TIMEOUT": "600"}
    collector = Collector(tmp_path, f"sqlite:///{tmp_path}/u.db", **settings)
    collector.program = ("-c", UNHURRIED)
    yield collector.start()
    collector.kill()


def test_who_has_no_known_key_displaces_only_others(unhurried: Collector) -> None:
    collector = unhurried
    with connected(collector, "127.0.0.2", collector.key, 170_000) as known:
        until(lambda: held_bytes(collector) == 170_000)
        with connected(collector, "127.0.0.3", "unknown", 20_000) as unknown:
            until(lambda: held_bytes(collector) == 190_000)
            with (
                connected(collector, "127.0.0.4", "unknown", 20_000),
                connected(collector, "127.0.0.5", "unknown", 20_000),
            ):
                assert unknown.answer.startswith(b"HTTP/1.1 503")
                with connected(collector, "127.0.0.6", "unknown", 30_000) as too_much:
                    assert too_much.answer.startswith(b"HTTP/1.1 503")
        known.socket.sendall(b" " * 4_000)
        assert known.answer.startswith(b"HTTP/1.1 400")


def test_who_has_no_known_key_has_to_get_on(start: Callable[..., Collector], tmp_path: Path) -> None:
    collector = start(f"sqlite:///{tmp_path}/s.db", ROLLCALL_COLLECTOR_TIMEOUT="600")
    with (
        connected(collector, "127.0.0.1", collector.key, 100) as known,
        connected(collector, "127.0.0.1", "unknown", 100) as unknown,
    ):
        assert unknown.answer.startswith(b"HTTP/1.1 408")
        known.socket.sendall(b" " * 173_900)
        assert known.answer.startswith(b"HTTP/1.1 400")

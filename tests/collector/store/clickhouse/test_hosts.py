"""Several servers in one URL: where one fails, the next one gets the same statement, to the letter."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from collector.store import StoreUnavailable
from collector.store.clickhouse.client import ANSWER_SECONDS
from collector.store.clickhouse.store import ClickHouseEventStore
from tests.collector.clickhouse import Debians
from tests.collector.store.contract.history import made_history
from tests.deadends import unused_port

pytestmark = [pytest.mark.needs("clickhouse"), pytest.mark.once]


class Fickle(HTTPServer):
    """Passes statements on to a server. Once it is told to, it passes inserts on and hangs up unanswered."""

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind, self.hangs_up = behind, False
        self.inserts: list[bytes] = []
        self.asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Fickle

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.behind)) as there:
            there.request("POST", self.path, body, {"Authorization": self.headers["Authorization"]})
            answer = there.getresponse()
            said = answer.read()
        if body.startswith(b"INSERT INTO events"):
            self.server.inserts.append(body)
            if self.server.hangs_up:
                return
        self.send_response(answer.status)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def pair(clickhouse: Debians) -> Iterator[list[Fickle]]:
    both = [Fickle(clickhouse.port), Fickle(clickhouse.port)]
    for one in both:
        threading.Thread(target=one.serve_forever, args=(0.01,)).start()
    yield both
    for one in both:
        one.shutdown()
        one.server_close()


def url_of(clickhouse: Debians, *ports: int) -> str:
    """The URL of a new database, with these ports instead of the server's own."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return clickhouse.database().replace(f"127.0.0.1:{clickhouse.port}", hosts)


def test_the_next_server_answers_where_one_is_away(clickhouse: Debians) -> None:
    history = made_history(0)[:20]
    url = url_of(clickhouse, unused_port(), clickhouse.port, unused_port())
    with closing(ClickHouseEventStore(url)) as store:
        assert store.keep(history) == 20
        assert sum(map(len, store.export())) == 20


def test_without_any_server_it_is_told_at_once(clickhouse: Debians) -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"):
        ClickHouseEventStore(url_of(clickhouse, unused_port(), unused_port()))


def test_an_insert_of_unknown_outcome_is_sent_to_the_other_server_to_the_letter(
    clickhouse: Debians, pair: list[Fickle]
) -> None:
    history = made_history(0)[:20]
    with closing(ClickHouseEventStore(url_of(clickhouse, *(one.server_port for one in pair)))) as store:
        used, other = sorted(pair, key=lambda one: -one.asked)
        assert other.asked == 0
        used.hangs_up = True
        assert store.keep(history) == 20
        assert used.inserts == other.inserts != []
        assert sum(map(len, store.export())) == 20
        other.hangs_up = True
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.keep([history[0]._replace(id=b"another id of 16")])
        assert len(set(used.inserts + other.inserts)) == 2
        assert len(used.inserts) > 2


def test_start_and_senders_do_not_wait_for_a_frozen_server(
    clickhouse: Debians, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.store.clickhouse.store.SOON_SECONDS", 2.0)
    monkeypatch.setattr("collector.store.clickhouse.client.random.randrange", lambda _: 0)
    history = made_history(0)[:20]
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # the kernel accepts, and nobody answers
        url = url_of(clickhouse, frozen.getsockname()[1], clickhouse.port)
        began = time.monotonic()
        with closing(ClickHouseEventStore(url)) as store:
            store.ping()
            assert store.keep(history) == 20
        assert time.monotonic() - began < ANSWER_SECONDS

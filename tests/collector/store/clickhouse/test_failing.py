"""Servers that are there and of no use: frozen, empty, without a quorum, or not ClickHouse at all."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from collector.store import StoreError, StoreUnavailable
from collector.store.clickhouse import client as clients
from collector.store.clickhouse import frozen
from collector.store.clickhouse.address import Address, Host
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import join_cluster, replicas_of
from collector.store.clickhouse.event_rows import Numbers, row_of
from collector.store.clickhouse.frozen import REMEMBERED_SECONDS, FrozenServers
from collector.store.clickhouse.keeping import keep_events
from collector.store.clickhouse.tables import COUNTERS, EVENTS
from collector.store.clickhouse.text import Row, write_rows
from tests.collector.store.contract.history import SOURCE, made_history
from tests.wait import PATIENCE, until

SECONDS = PATIENCE
ONE = b"n\nUInt8\n1\n"


class Stub(ThreadingHTTPServer):
    """Answers every statement the same way; while it is frozen, none."""

    daemon_threads = True

    def __init__(self, answer: bytes = ONE, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.status = answer, status
        self.thawed, self.quick = threading.Event(), threading.Event()
        self.thawed.set()
        self.quick.set()  # while it is slow, it still answers a ping
        self.asked: list[bytes] = []
        self.pings = 0


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(body)
        self.server.thawed.wait(SECONDS)
        self.server.quick.wait(SECONDS)
        answer = b"" if body.startswith(b"INSERT") or b"FROM expiries" in body else self.server.answer
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.server.pings += 1
        self.server.thawed.wait(SECONDS)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def stubs() -> Iterator[list[Stub]]:
    with ExitStack() as running:
        made = [Stub(), Stub()]
        for one in made:
            running.enter_context(one)
            threading.Thread(target=one.serve_forever, args=(0.01,)).start()
            running.callback(one.shutdown)
            running.callback(one.thawed.set)
            running.callback(one.quick.set)
        yield made


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch, stubs: list[Stub]) -> None:
    """Wait a tenth of a second for a stub that is frozen, and for the others as long as they take."""
    asked = frozen.pings

    def pings(host: Host) -> bool:
        is_frozen = any(host[1] == one.server_port and not one.thawed.is_set() for one in stubs)
        monkeypatch.setattr(frozen, "PING_SECONDS", 0.1 if is_frozen else SECONDS)
        return asked(host)

    monkeypatch.setattr(clients, "SOON_SECONDS", SECONDS)
    monkeypatch.setattr(frozen, "LOOK_SECONDS", 0.1)
    for module in (clients, frozen):
        monkeypatch.setattr(module, "pings", pings)


def client_of(
    *stubs: Stub,
    cluster: str = "",
    first: int = 0,
    seconds: float = clients.ANSWER_SECONDS,
    longest: float = clients.ANSWER_SECONDS,
    known: FrozenServers | None = None,
) -> Client:
    hosts = tuple(("127.0.0.1", one.server_port) for one in stubs)
    made = Client(Address(hosts, "db", cluster=cluster), seconds, known, longest)
    made._at = first
    return made


def test_a_frozen_server_counts_as_away_where_each_is_asked(stubs: list[Stub]) -> None:
    with closing(client_of(*stubs)) as client:
        assert client.rows_of_each("SELECT 1 AS n") == [[(1,)], [(1,)]]
        stubs[0].thawed.clear()
        assert client.rows_of_each("SELECT 1 AS n") == [[(1,)]]
        stubs[1].thawed.clear()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            client.rows_of_each("SELECT 1 AS n")
        assert [len(one.asked) for one in stubs] == [2, 3]  # and is not asked twice


def test_a_question_that_a_sender_waits_for_goes_on_to_the_next_server(stubs: list[Stub]) -> None:
    stubs[0].thawed.clear()
    with closing(client_of(*stubs, seconds=0.1)) as client:
        assert client.rows("SELECT 1 AS n") == [(1,)]
        client._seconds = SECONDS  # the next one is asked first from now on, and may be slow
        assert client.rows("SELECT 1 AS n") == [(1,)]
    assert [len(one.asked) for one in stubs] == [1, 2]


def test_the_last_server_has_the_whole_time(stubs: list[Stub]) -> None:
    """Servers that are all slow answer late, and not never."""
    for one in stubs:
        one.thawed.clear()
    with closing(client_of(*stubs, seconds=0.1)) as client:
        timer = threading.Timer(0.5, stubs[1].thawed.set)
        timer.start()
        assert client.rows("SELECT 1 AS n") == [(1,)]
        timer.join()
    assert [len(one.asked) for one in stubs] == [1, 1]


@pytest.mark.parametrize("ask", ["rows", "run"])
def test_a_client_says_how_long_the_last_server_has(
    stubs: list[Stub], monkeypatch: pytest.MonkeyPatch, ask: str
) -> None:
    monkeypatch.setattr(clients, "UNCERTAIN_SECONDS", 0.0)
    stubs[0].quick.clear()
    with (
        closing(client_of(stubs[0], longest=0.1)) as client,
        pytest.raises(StoreUnavailable, match=r"within 0\.1 s"),
    ):
        getattr(client, ask)("SELECT 1 AS n")


def test_a_report_does_not_wait_for_a_frozen_server(stubs: list[Stub]) -> None:
    """It may take a minute, but not on a server without a sign of life; and others need not find that out."""
    now = 0.0
    known = FrozenServers(lambda: now)
    stubs[0].thawed.clear()
    with closing(client_of(*stubs, known=known)) as one, closing(client_of(*stubs, known=known)) as other:
        assert one.rows("SELECT 1 AS n") == other.rows("SELECT 1 AS n") == [(1,)]
        assert [len(stub.asked) for stub in stubs] == [1, 2]
        assert other.rows_of_each("SELECT 1 AS n") == [[(1,)]]
        assert [len(stub.asked) for stub in stubs] == [1, 3]
        stubs[0].thawed.set()
        assert other.rows_of_each("SELECT 1 AS n") == [[(1,)], [(1,)]]
        stubs[0].thawed.clear()
        with closing(client_of(*stubs, known=known)) as third:
            assert third.rows("SELECT 1 AS n") == [(1,)]
            now += REMEMBERED_SECONDS
            third._at = 0
            assert third.rows("SELECT 1 AS n") == [(1,)]
        assert [len(stub.asked) for stub in stubs] == [4, 6]


def test_a_server_that_is_slow_and_answers_a_ping_is_waited_for(stubs: list[Stub]) -> None:
    stubs[0].quick.clear()
    with closing(client_of(*stubs)) as client, ThreadPoolExecutor() as threads:
        answer = threads.submit(client.rows, "SELECT 1 AS n")
        until(lambda: stubs[0].pings > 1, why="it has been asked for signs of life")
        stubs[0].quick.set()
        assert answer.result() == [(1,)]
    assert [len(stub.asked) for stub in stubs] == [1, 0]


def test_a_statement_that_changes_tables_keeps_its_time_on_all_servers(stubs: list[Stub]) -> None:
    stubs[0].quick.clear()
    with closing(client_of(*stubs)) as client, ThreadPoolExecutor() as threads:
        reached = threads.submit(client.run_on_each, "SYSTEM SYNC REPLICA events_local")
        until(lambda: stubs[0].pings > 1, why="it has been asked for signs of life")
        stubs[0].quick.set()
        assert reached.result() == len(stubs)


@pytest.mark.parametrize("code", [60, 81, 170, 516])
def test_a_server_that_lacks_something_is_passed_over_until_all_of_them_do(
    stubs: list[Stub], code: int
) -> None:
    stubs[0].answer, stubs[0].status = f"Code: {code}. It is not here".encode(), 500
    with closing(client_of(*stubs)) as client:
        assert client.rows("SELECT 1 AS n") == [(1,)]
        stubs[1].answer, stubs[1].status = stubs[0].answer, 500
        with pytest.raises(StoreError, match=f"Code: {code}") as raised:
            client.rows("SELECT 1 AS n")
        assert not isinstance(raised.value, StoreUnavailable)


def test_what_the_others_lack_is_told_while_one_is_frozen(stubs: list[Stub]) -> None:
    known = FrozenServers()
    known.note(("127.0.0.1", stubs[0].server_port))
    stubs[1].answer, stubs[1].status = b"Code: 516. Authentication failed", 500
    with (
        closing(client_of(*stubs, known=known)) as client,
        pytest.raises(StoreUnavailable, match="Code: 516"),
    ):
        client.rows("SELECT 1 AS n")


def test_what_a_stranger_says_cannot_steer_a_terminal(stubs: list[Stub]) -> None:
    stubs[0].answer, stubs[0].status = "Code: 62. \x1b]0;owned\x07 \x9b2J\u202e é".encode(), 500
    with closing(client_of(stubs[0])) as client, pytest.raises(StoreError) as raised:
        client.rows("SELECT 1 AS n")
    assert str(raised.value) == "ClickHouse says: Code: 62. ]0;owned 2J é"


def test_events_that_come_again_wait_for_the_replicas_too(stubs: list[Stub]) -> None:
    """One replica has them of an insert that was refused; all the others may lack them."""
    events = made_history(0)[:2]
    old = row_of(events[0], 5)
    stubs[0].answer = answer_of(old, kept=1)
    with closing(client_of(stubs[0], cluster="fleet")) as client:
        client.configure({}, {"insert_quorum": "2"})
        assert keep_events(client, Numbers(), events) == 1
        inserted = [one.split(b"\n") for one in stubs[0].asked if one.startswith(b"INSERT")]
        (_, *rows, end), (instances, *_) = inserted
        assert instances.startswith(b"INSERT INTO instances")  # what they say follows
        assert (len(rows), end) == (2, b"")
        assert rows[1] + b"\n" == write_rows([old])  # to the letter: it expires with the one that is there
        stubs[0].asked.clear()
        stubs[0].answer = answer_of(old, kept=0)
        assert keep_events(client, Numbers(), events[:1]) == 0
        assert not [one for one in stubs[0].asked if one.startswith(b"INSERT")]


def answer_of(row: Row, kept: int) -> bytes:
    """What a server says of a row that it has."""
    named, typed = zip(*(column.split(" ", 1) for column in EVENTS.columns.split(", ")), strict=True)
    head = "\t".join([*named, "kept"]), "\t".join([*typed, "UInt8"])
    said = re.sub(rb"\\x(..)", lambda found: bytes.fromhex(found[1].decode()), write_rows([(*row, kept)]))
    return "\n".join(head).encode() + b"\n" + said


def test_shards_with_different_numbers_of_replicas_are_told(
    stubs: list[Stub], caplog: pytest.LogCaptureFixture
) -> None:
    with closing(client_of(stubs[0], cluster="fleet")) as client, caplog.at_level(logging.WARNING):
        stubs[0].answer = b"shard_num\tn\nUInt32\tUInt64\n1\t3\n2\t3\n"
        assert replicas_of(client) == 3
        assert not caplog.messages
        stubs[0].answer = b"shard_num\tn\nUInt32\tUInt64\n1\t1\n2\t3\n"
        assert replicas_of(client) == 1
        assert "the shards of fleet have 1 to 3 replicas" in caplog.text


@pytest.mark.parametrize("told", [[[("deduplicate_insert",)]] * 2, [[("deduplicate_insert",)], []], None])
def test_a_server_of_today_keeps_what_was_there_before_and_is_inserted_again(
    stubs: list[Stub], monkeypatch: pytest.MonkeyPatch, told: list[list[Row]] | None
) -> None:
    """It heeds no other setting. One that does not know this one refuses all that comes with it."""
    paths = list[str]()

    def send(_: int, path: str, *given: Any, **named: Any) -> bytes:
        paths.append(path)
        return b""

    def ask_each(*_: Any, **__: Any) -> list[list[Row]]:
        if told is None:  # one of them is out of memory
            raise StoreUnavailable
        return told

    with closing(client_of(*stubs, cluster="fleet")) as client:
        monkeypatch.setattr(client, "_send", send)
        monkeypatch.setattr(client, "rows", lambda *_, **__: [(1, 3)])
        monkeypatch.setattr(client, "rows_of_each", ask_each)
        join_cluster(client)
        client.run("INSERT INTO past_runs SELECT 1")
        client.insert(COUNTERS, [(1, SOURCE, "daily", 1, 0, "", 5)])
        client.insert(EVENTS, [row_of(made_history(0)[0], 5)], acknowledged=True)
    known = told is not None and all(told)
    assert ["insert_deduplicate=0" in path for path in paths] == [True, True, False]
    assert ["deduplicate_insert=disable" in path for path in paths] == [known, known, False]

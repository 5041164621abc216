"""Three simulated days without an endpoint: a real outbox, real HTTP, a simulated clock."""

import contextlib
import gzip
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agent import cli
from agent.app import App
from agent.heartbeat.answer import ChildAnswer, parse_answer
from tests.agent.heartbeat.lives import HOUR, INTERVAL, Life

DAY = 24 * HOUR


class Receiver(ThreadingHTTPServer):
    """Takes batches, or turns them away while it is down."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.down = False
        self.turned_away = 0
        self.messages: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if self.server.down:
            self.server.turned_away += 1
        else:
            self.server.messages += [event["messageId"] for event in json.loads(body)["batch"]]
        self.send_response(503 if self.server.down else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class RealChildren(Life):
    """A life whose children are the real verbs, called in this process."""

    environ: dict[str, str]

    def ask(self, *verb: str) -> ChildAnswer | None:
        out = io.StringIO()
        app = App(environ=self.environ, cwd="/", root="/nowhere", now=lambda: self.clocks().wall, out=out)
        with contextlib.redirect_stderr(io.StringIO()):
            cli.run_verb(verb, app)
        said = parse_answer(out.getvalue().encode())
        assert said is not None
        if said.recorded:
            self.beats.append(self.up)
        return said


@pytest.fixture
def life(tmp_path: Path, receiver: Receiver) -> RealChildren:
    one = RealChildren()
    one.environ = {
        "HOME": str(tmp_path),
        "ROLLCALL_STATE_DIR": str(tmp_path / "state"),
        "ROLLCALL_ENDPOINT": receiver.url,
        "ROLLCALL_WRITE_KEY": "key",
    }
    return one


def test_every_beat_of_three_days_without_an_endpoint_arrives_once(
    life: RealChildren, receiver: Receiver
) -> None:
    life.run(DAY)
    assert len(receiver.messages) == 4
    receiver.down = True
    life.run(3 * DAY)
    assert len(receiver.messages) == 4
    assert receiver.turned_away < 3 * 24 * 6, "no storm of tries"
    receiver.down = False
    life.run(INTERVAL + HOUR)
    assert len(life.beats) == len(receiver.messages) >= 17
    assert len(set(receiver.messages)) == len(receiver.messages)


def test_a_database_deleted_under_it_costs_no_later_beat(
    life: RealChildren, receiver: Receiver, tmp_path: Path
) -> None:
    life.run(HOUR)
    (tmp_path / "state/outbox.db").unlink()
    (tmp_path / "state/instance.json").write_bytes(b"\0damaged")
    life.run(DAY)
    assert len(receiver.messages) == 5
    life.disk = None
    life.stop(30)
    life.run(HOUR)
    assert len(set(receiver.messages)) == len(receiver.messages)

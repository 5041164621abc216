"""A receiver that can be down, and lives whose children are the real verbs."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from agent import cli
from agent.app import App
from agent.heartbeat.answer import ChildAnswer, parse_answer
from tests.agent.heartbeat.lives import Life


class Receiver(ThreadingHTTPServer):
    """Takes batches, or turns them away while it is down."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.down = False
        self.turned_away = 0
        self.tries: list[float] = []
        """When each request came, by `clock`."""
        self.clock: Callable[[], float] = time.monotonic
        self.messages: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.tries.append(self.server.clock())
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


@contextlib.contextmanager
def running() -> Iterator[Receiver]:
    """A receiver that serves."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def environment(home: Path, receiver: Receiver) -> dict[str, str]:
    return {
        "HOME": str(home),
        "ROLLCALL_STATE_DIR": str(home / "state"),
        "ROLLCALL_ENDPOINT": receiver.url,
        "ROLLCALL_WRITE_KEY": "key",
    }


@dataclass
class RealChildren(Life):
    """A life whose children are the real verbs, called in this process."""

    environ: dict[str, str] = field(default_factory=dict)
    said: str = ""

    def ask_child(self, *verb: str) -> ChildAnswer | None:
        out, err = io.StringIO(), io.StringIO()
        app = App(
            environ=self.environ, cwd="/", root="/nowhere", now=lambda: self.clocks().wall, out=out, err=err
        )
        with contextlib.redirect_stderr(err):
            cli.run_verb(verb, app)
        self.said += err.getvalue()
        said = parse_answer(out.getvalue().encode())
        assert said is not None
        if said.recorded:
            self.beats.append(self.up)
        return said

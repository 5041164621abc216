"""A proxy between a collector and ClickHouse, so that a test can act at the very statement."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECONDS = 120
CHANGE = re.compile(rb"INSERT|ALTER")


class Changes:
    """Counts the statements that change something; after one of them `act` is called, before its answer."""

    def __init__(self, number: int = 0, act: Callable[[], None] | None = None) -> None:
        self.count = 0
        self._number, self._act = number, act
        self._lock = threading.Lock()

    def passed_on(self, statement: bytes) -> None:
        if CHANGE.match(statement):
            with self._lock:
                self.count += 1
                at = self.count
            if at == self._number and self._act:
                self._act()


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: int, changes: Changes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind, self.changes = behind, changes


class _Handler(BaseHTTPRequestHandler):
    server: _Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with suppress(OSError, http.client.HTTPException):
            status, said = self._asked(body)
            self.server.changes.passed_on(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
            return
        self.close_connection = True

    def _asked(self, body: bytes) -> tuple[int, bytes]:
        link = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=SECONDS)
        with closing(link):
            link.request("POST", self.path, body, {"Authorization": self.headers["Authorization"]})
            answer = link.getresponse()
            return answer.status, answer.read()

    def do_GET(self) -> None:
        """Answer a ping."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def proxied(url: str, ports: Sequence[int], changes: Changes) -> Iterator[str]:
    """The URL of the same database, with a proxy before each of the servers."""
    with ExitStack() as running:
        for port in ports:
            one = running.enter_context(_Proxy(port, changes))
            threading.Thread(target=one.serve_forever, args=(0.01,)).start()
            running.callback(one.shutdown)
            url = url.replace(f"127.0.0.1:{port}", f"127.0.0.1:{one.server_port}")
        yield url

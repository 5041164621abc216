"""Today's ClickHouse as a server: its engine, which chdb has, behind the HTTP interface that we use.

    python chdb_server.py FOLDER [large]

It listens on a port of 127.0.0.1 that it prints, and ends with its standard input. Tables are tiny in tests:
what makes queries of large ones fast only takes time there, so it is switched off unless asked for.
"""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb.session import Session

_FOR_TINY = "SET max_threads = 1, compile_expressions = 0, compile_aggregate_expressions = 0"


class Engine:
    """One statement at a time, because a session has one database that it uses."""

    def __init__(self, folder: str, *, large: bool) -> None:
        self._session = Session(folder)
        if not large:
            self._session.query(_FOR_TINY)
        self._lock = threading.Lock()

    def answer(self, database: str, sql: str) -> bytes:
        with self._lock:
            self._session.query(f"USE {database}")
            answer: bytes = self._session.query(sql, "TabSeparated").bytes()
            return answer


class Handler(BaseHTTPRequestHandler):
    """Answers a POST with the result of its body."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine: Engine

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        database = parse_qs(urlsplit(self.path).query).get("database", ["default"])[0]
        try:
            status, answer = 200, self.engine.answer(database, body)
        except RuntimeError as error:
            status, answer = 500, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    Handler.engine = Engine(sys.argv[1], large=sys.argv[2:] == ["large"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()

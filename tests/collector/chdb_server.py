"""Today's ClickHouse as a server: its engine, which chdb has, behind the HTTP interface that we use.

    python chdb_server.py FOLDER [large]

It listens on a port of 127.0.0.1 that it prints, and ends with its standard input. Tables are tiny in tests:
what makes queries of large ones fast only takes time there, so it is switched off unless asked for. And only
where they are large, several statements run at once.
"""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from urllib.parse import parse_qsl, urlsplit

from chdb import connect
from chdb.state.sqlitelike import Connection

AT_ONCE = 8
_FOR_TINY = "SET max_threads = 1, compile_expressions = 0, compile_aggregate_expressions = 0"


class Engine:
    """Its connections. Each does one statement at a time, because it has one database that it uses."""

    def __init__(self, folder: str, *, large: bool) -> None:
        self._idle = SimpleQueue[Connection]()
        for _ in range(AT_ONCE if large else 1):
            connection = connect(folder)
            if not large:
                connection.query(_FOR_TINY)
            self._idle.put(connection)

    def answer(self, database: str, priority: int, sql: str) -> bytes:
        connection = self._idle.get()
        try:
            connection.query(f"USE {database}")
            connection.query(f"SET priority = {priority}")
            answer: bytes = connection.query(sql, "TabSeparated").bytes()
            return answer
        finally:
            self._idle.put(connection)


class Handler(BaseHTTPRequestHandler):
    """Answers a POST with the result of its body."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine: Engine

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        told = dict(parse_qsl(urlsplit(self.path).query))
        database, priority = told.get("database", "default"), int(told.get("priority", "0"))
        try:
            status, answer = 200, self.engine.answer(database, priority, body)
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

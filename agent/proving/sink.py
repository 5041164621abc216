"""What the loud run talks to, on loopback in the namespace: an endpoint, and a server of names.

Both count and keep what comes. Nothing else is there to talk to, so what a silent run sends comes here too.
"""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import struct
import threading
from urllib.parse import parse_qs, urlsplit

HOST = "sink.rollcall.test"
"""The endpoint's name: no name in .test exists anywhere."""
LOCAL, DNS_PORT = "127.0.0.1", 53
LARGEST_BODY = 1024 * 1024
A_RECORD, IN, SECONDS = 1, 1, 5


class Sink:
    """The endpoint. It takes every batch."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.bundles = 0
        """How many support bundles came whole."""
        bodies, take_part = self.bodies, self._take_part

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = min(int(self.headers.get("Content-Length", "0")), LARGEST_BODY)
                body = self.rfile.read(size)
                if len(body) < size:  # the step was over, and its sender was ended
                    return
                if self.path.startswith("/v1/bundles"):
                    self._answer(200, take_part(self.path, size))
                else:
                    bodies.append(body.decode("utf-8", "replace"))
                    self._answer(200)

            def do_GET(self) -> None:
                self._answer(404)

            def _answer(self, code: int, text: bytes = b'{"success": true}') -> None:
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = socketserver.ThreadingTCPServer((LOCAL, 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take_part(self, path: str, size: int) -> bytes:
        """How much of a support bundle is here now: the parts come in order."""
        asked = parse_qs(urlsplit(path).query)
        received = int(asked["offset"][0]) + size
        complete = received == int(asked["size"][0])
        self.bundles += complete
        return json.dumps({"received": received, "complete": complete}).encode()

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def events(self) -> list[dict[str, object]]:
        """All that came, in order."""
        return [event for body in self.bodies for event in json.loads(body).get("batch", [])]


class NameServer:
    """Says of every name that it is here. OSError if it cannot listen."""

    def __init__(self) -> None:
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOCAL, DNS_PORT))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            question, who = self._socket.recvfrom(4096)
            self.asked += 1
            self._socket.sendto(_answer_to(question), who)


def _answer_to(question: bytes) -> bytes:
    """An address for who asks for one of IPv4, else that there is none."""
    end = question.find(b"\0", 12) + 5
    asks_for = struct.unpack_from(">H", question, end - 4)[0] if 0 < end - 4 <= len(question) - 2 else 0
    count = int(asks_for == A_RECORD)
    head = question[:2] + struct.pack(">HHHHH", 0x8580, 1, count, 0, 0)
    record = struct.pack(">HHHIH", 0xC00C, A_RECORD, IN, SECONDS, 4) + socket.inet_aton(LOCAL)
    return head + question[12:end] + record * count

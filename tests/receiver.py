"""A receiver of batches on loopback: it answers by a script and records all that reaches it.

    with Receiver() as receiver:                       # takes everything with 200
    with Receiver(script=[answer(503), answer(429, {"Retry-After": "7"})]) as receiver:
    with Receiver(script=[hang, drip_body]) as receiver:

A script is a list of deeds, one a request; when it is used up, `then` is done for each further
one. A deed is a function of the connection and the request, so that it can do anything that a
network does. What a deed returns says whether the connection may be kept.
"""

from __future__ import annotations

import base64
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import responses
from typing import final

from tests.wait import PATIENCE, until

HEAD_LIMIT = 64 * 1024
PAUSE = 0.1  # between two bytes of a drip


@dataclass(frozen=True)
class Request:
    """One request as it arrived, whatever became of it."""

    line: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def batch(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(self.body)["batch"]
        return found

    @property
    def sent_at(self) -> str:
        return str(json.loads(self.body)["sentAt"])

    @property
    def ids(self) -> list[str]:
        return [str(event["messageId"]) for event in self.batch]

    @property
    def key(self) -> str:
        user, _, _ = base64.b64decode(self.headers["authorization"].split()[1]).partition(b":")
        return user.decode()


@dataclass
class Peer:
    """The other end of one connection, and the word that all is over."""

    socket: socket.socket
    over: threading.Event

    def hang(self) -> None:
        """Wait, open and mute, until the receiver is closed."""
        self.over.wait()


Deed = Callable[[Peer, Request], bool]


def answer(status: int, headers: dict[str, str] | None = None, body: bytes = b"{}") -> Deed:
    """Answer in good form."""

    def deed(peer: Peer, request: Request) -> bool:
        phrase = responses.get(status, "Odd")
        fields = {"Content-Length": str(len(body)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        peer.socket.sendall(f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n".encode() + body)
        return True

    return deed


def say(text: bytes) -> Deed:
    """Send just these bytes and close."""

    def deed(peer: Peer, request: Request) -> bool:
        peer.socket.sendall(text)
        return False

    return deed


def refuse_if(offends: Callable[[dict[str, object]], bool], status: int = 400) -> Deed:
    """Refuse a batch whole if one of its events offends."""

    def deed(peer: Peer, request: Request) -> bool:
        return answer(status if any(map(offends, request.batch)) else 200)(peer, request)

    return deed


def hang(peer: Peer, request: Request) -> bool:
    peer.hang()
    return False


def close(peer: Peer, request: Request) -> bool:
    return False


def reset(peer: Peer, request: Request) -> bool:
    abort(peer.socket)
    return False


def drip_head(peer: Peer, request: Request) -> bool:
    return _drip(peer, b"HTTP/1.1 200 OK\r\nX-Slow: ")


def drip_body(peer: Peer, request: Request) -> bool:
    """Say 200 at once, then let a body that has no end in sight trickle."""
    peer.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
    return _drip(peer, b"")


def drip_chunks(peer: Peer, request: Request) -> bool:
    """Say 200 at once, then let JSON of no known length trickle."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return _drip(peer, head, b"1\r\n \r\n")


def _drip(peer: Peer, first: bytes, piece: bytes = b"x") -> bool:
    peer.socket.sendall(first)
    with suppress(OSError):
        while not peer.over.wait(PAUSE):
            peer.socket.sendall(piece)
    return False


def abort(connection: socket.socket) -> None:
    """Close with a reset instead of a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@final
@dataclass
class Receiver:
    """Listens while its `with` lasts, on a port of the kernel's choosing."""

    script: Iterable[Deed] = ()
    then: Deed = field(default_factory=lambda: answer(200))
    tls: ssl.SSLContext | None = None
    reset_after: int | None = None
    """Reset the connection once this many bytes of a body have come."""
    on_bytes: Callable[[int], None] | None = None
    """Told how many bytes have come so far, as they come."""

    def __post_init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.bytes = 0
        self._deeds = iter(self.script)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._serve)
        self.port: int = self._server.server_address[1]

    @property
    def endpoint(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def ids(self) -> list[str]:
        """Every messageId that came, in order, again if it came again."""
        return [one for request in self.requests for one in request.ids]

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int, timeout: float = PATIENCE) -> list[Request]:
        """Wait until so many requests have come whole."""
        until(lambda: len(self.requests) >= count, timeout, f"{count} requests")
        return self.requests

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
        with suppress(OSError):
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            peer = Peer(connection, self._over)
            while (request := self._read(connection)) is not None:
                with self._lock:
                    self.requests.append(request)
                    deed = next(self._deeds, self.then)
                if not deed(peer, request):
                    break
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def _read(self, connection: socket.socket) -> Request | None:
        head, body = self._until_blank_line(connection)
        if not head:
            return None
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in map(_split, fields)}
        length = int(headers.get("content-length", "0"))
        while len(body) < length:
            if self.reset_after is not None and len(body) >= self.reset_after:
                abort(connection)
                return None
            more = self._receive(connection)
            if not more:
                return None
            body += more
        return Request(line, headers, body, time.time())

    def _until_blank_line(self, connection: socket.socket) -> tuple[bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data and len(data) < HEAD_LIMIT:
            more = self._receive(connection)
            if not more:
                return b"", b""
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        return head, rest

    def _receive(self, connection: socket.socket) -> bytes:
        more = connection.recv(16 * 1024)
        self.bytes += len(more)
        if self.on_bytes:
            self.on_bytes(self.bytes)
        return more


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(":")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        super().__init__(address, socketserver.BaseRequestHandler)

    def finish_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self._serve(request)

"""uvicorn's HTTP protocol, with the limits that uvicorn leaves to a proxy."""

from __future__ import annotations

import asyncio
from collections import Counter

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector.base.peers import in_networks, peer_of
from collector.settings import Settings

# Bytes of request line and headers together; trailers count as headers.
MAX_HEAD = 16 * 1024
# Requests that a client may send before it reads the first answer.
MAX_PIPELINED = 10
FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class TooManyPipelined(Exception):  # noqa: N818 - uvicorn answers it with 400
    """A client sends requests and does not read the answers."""


class TooLongHead(Exception):  # noqa: N818 - as above
    """The headers or trailers are too long."""


class UpgradeWithBody(Exception):  # noqa: N818 - as above
    """The parser would read the body as the next request."""


class BoundedProtocol(HttpToolsProtocol):
    """Limits the time and size of requests, and the number of connections.

    A timer runs while the client has to act: to start a request, to finish it, or to read the answer.
    uvicorn's own timer runs after an answer.
    """

    bounds: Settings
    peers: Counter[str]  # connections of each peer, counted over all connections of a server

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._begun, self._in_head, self._head, self._fields = False, True, 0, 0
        address = self.client[0] if self.client else ""
        self._peer = peer_of(address, (), ())
        self.peers[self._peer] += 1
        per_peer = max(1, self.bounds.max_connections // 2)
        crowd = self.peers[self._peer] > per_peer and not in_networks(self.bounds.trusted_proxies, address)
        if crowd or len(self.connections) > self.bounds.max_connections:
            transport.write(FULL)
            self._end()
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self.resume_writing()
        self.peers[self._peer] -= 1
        if not self.peers[self._peer]:
            del self.peers[self._peer]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > MAX_HEAD:
            self._end()
        elif not (self._begun or self._watch or self._answering()):
            self._expect()  # these bytes are not a request, but stopped uvicorn's timer

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise TooManyPipelined
        super().on_message_begin()
        self._begun, self._fields = True, 0
        self._expect()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += len(name) + len(value) + 4
        if self._fields > MAX_HEAD:
            raise TooLongHead
        if self._in_head:  # a trailer is not a header: proxies do not check it
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        bodied = any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        )
        if bodied and self.parser.should_upgrade():
            raise UpgradeWithBody
        self._in_head, self._head = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._begun, self._in_head, self._head = False, True, 0
        self._arrived()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.bounds.timeout, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        self._end()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]

    def _expect(self) -> None:
        self._arrived()
        self._watch = self.loop.call_later(self.bounds.timeout, self._late)

    def _late(self) -> None:
        if self._answering() and (self._in_head or self.pipeline):
            self._expect()  # an earlier request is not answered yet, so the client may be waiting
            return
        # Only a started request gets 408; an idle connection is just closed.
        if self._begun and (self._in_head or not self.cycle.response_started):
            self.transport.write(SLOW)
        self._end()

    def _arrived(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _end(self) -> None:
        """Close when the client has read everything, or after a time-out."""
        self.transport.close()
        self.loop.call_later(self.bounds.timeout, self.transport.abort)


def bounded_protocol(bounds: Settings) -> type[BoundedProtocol]:
    """The protocol class of one server."""
    return type("BoundedProtocol", (BoundedProtocol,), {"bounds": bounds, "peers": Counter()})

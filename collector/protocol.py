"""uvicorn's protocol, with the bounds that it leaves to a proxy in front of it."""

from __future__ import annotations

import asyncio
from collections import Counter

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector.limits import contains
from collector.settings import Settings

# Request line and headers together.
MAX_HEAD = 16 * 1024
FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def bounded(settings: Settings) -> type[HttpToolsProtocol]:  # noqa: C901 - one class, few lines a method
    """A protocol class that bounds time and size of what arrives, and how many connections there are."""
    peers: Counter[str] = Counter()
    per_peer = max(1, settings.max_connections // 2)

    class Bounded(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch: asyncio.TimerHandle | None = None
            self._in_head, self._head = True, 0
            self._peer = self.client[0] if self.client else ""
            peers[self._peer] += 1
            crowd = peers[self._peer] > per_peer and not contains(settings.trusted_proxies, self._peer)
            if crowd or len(self.connections) > settings.max_connections:
                transport.write(FULL)
                transport.close()
            self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            self._arrived()
            peers[self._peer] -= 1
            if not peers[self._peer]:
                del peers[self._peer]
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            self._head += len(data)
            super().data_received(data)
            if self._in_head and self._head > MAX_HEAD:
                self.transport.close()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._expect()

        def on_headers_complete(self) -> None:
            self._in_head, self._head = False, 0
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._in_head, self._head = True, 0
            self._arrived()

        def _expect(self) -> None:
            self._arrived()
            self._watch = self.loop.call_later(settings.timeout, self._slow)

        def _slow(self) -> None:
            if self.cycle is None or not self.cycle.response_started:  # type: ignore[redundant-expr]
                self.transport.write(SLOW)
            self.transport.close()

        def _arrived(self) -> None:
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None

    return Bounded

"""One client's connection: requests come one after the other, and each is answered before the next is read.

What arrives before its time waits, and meanwhile nothing more is read: a client that sends ahead waits for
the answers. A connection is cut off if it is too slow, or if there are too many and it costs most.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from collector.base.http import Scope
from collector.base.peers import in_networks, peer_of
from collector.base.room import Holding, NoRoom
from collector.serve.exchange import Exchange
from collector.serve.host import READ_BYTES, Host
from collector.serve.parser import MAX_HEAD, RequestParser, Unreadable

# Seconds that a connection may be idle after an answer.
IDLE_SECONDS = 30
NEVER = float("inf")


class Connection(asyncio.BufferedProtocol):
    """It is idle, or a request has begun (`_parser.begun`), is being answered (`_exchange`), or it closes."""

    def __init__(self, host: Host) -> None:
        self.due = NEVER  # until then the client has time
        self._host = host
        self._exchange: Exchange | None = None
        self._rest = b""  # bytes that were read and not yet parsed
        self._idle_seconds = host.bounds.timeout
        self._paused = self._closing = self._ended = False
        self._can_write = asyncio.Event()
        self._can_write.set()

    # What the transport calls

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        host = self._host
        host.enter(self)
        client = (transport.get_extra_info("peername") or ("", 0))[:2]
        self._parser = RequestParser(self, client)
        bounded = not in_networks(host.bounds.trusted_proxies, client[0])
        self._holding = Holding(host.room, peer_of(client[0], (), ()), self._make_way, bounded=bounded)
        try:
            self._holding.take(1)
        except NoRoom:
            self.write(_refusal(503))
            self._end()
        else:
            self._give_time()

    def connection_lost(self, _: Exception | None) -> None:
        self._closing = True
        self._holding.give_all()
        self._can_write.set()
        if self._exchange is not None:
            self._exchange.leave()
        self._host.exit(self)

    def get_buffer(self, _: int) -> memoryview:
        awaited = self._exchange is not None and self._exchange.waiting
        return memoryview(self._host.buffer)[: READ_BYTES if awaited else MAX_HEAD]

    def buffer_updated(self, nbytes: int) -> None:
        if self._closing:
            return
        if self._rest or not self._wants():
            self._rest += self._host.buffer[:nbytes]
            self._pause(paused=True)
        else:
            self._parse(self._host.buffer, nbytes)

    def eof_received(self) -> bool:
        """The client sends no more. It still gets its answers."""
        self._ended = True
        return self._exchange is not None and self._exchange.complete

    def pause_writing(self) -> None:
        self._can_write.clear()
        self._give_time()

    def resume_writing(self) -> None:
        self._can_write.set()
        self._give_time()
        self._go_on()

    # Reading

    def _wants(self) -> bool:
        """Whether the next bytes may be parsed now."""
        exchange = self._exchange
        if self._closing or not self._can_write.is_set():
            return False
        return exchange is None or (not exchange.complete and (exchange.wanted or exchange.done))

    def _go_on(self) -> None:
        """Parse what waits, and read on, if it is wanted now."""
        if self._wants():
            rest, self._rest = self._rest, b""
            self._parse(rest, len(rest))

    def _parse(self, data: bytes | bytearray, length: int) -> None:
        at = 0
        try:
            while at < length and self._wants():
                at = self._parser.feed(data, at, length)
                self._parsed()
        except Unreadable as error:
            self._cut_off(error.status)
        if not self._closing:
            self._rest = bytes(memoryview(data)[at:length])
            self._pause(paused=bool(self._rest))

    def _parsed(self) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.complete and exchange.done:
            self._finish(exchange)
        elif exchange is not None:
            exchange.wake()

    def _pause(self, *, paused: bool) -> None:
        if paused != self._paused:
            self._paused = paused
            if paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # What the parser calls

    def request_began(self) -> None:
        self._give_time()

    def head_arrived(self, scope: Scope, *, keep_alive: bool) -> None:
        self._exchange = Exchange(self, scope, self._host.date(), keep_alive=keep_alive)
        self._host.start(self._exchange.run(self._host.app))

    def body_arrived(self, body: bytes) -> None:
        if self._exchange is not None:
            self._exchange.add(body)

    def request_arrived(self) -> None:
        if self._exchange is not None:
            self._exchange.complete = True
            self._give_time()

    # What an exchange calls

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def writable(self) -> None:
        if not self._can_write.is_set():
            await self._can_write.wait()

    def want_body(self) -> None:
        self._go_on()

    def answered(self, exchange: Exchange) -> None:
        if exchange.complete:
            self._finish(exchange)
        elif exchange.unasked:
            self._end()
        self._go_on()  # to the next request, or to drop the rest of this one's body

    def abort(self) -> None:
        self._transport.abort()

    def _finish(self, exchange: Exchange) -> None:
        """The answer is sent, and the request was read to its end."""
        self._exchange = None
        self._idle_seconds = IDLE_SECONDS
        if exchange.keep_alive and not self._host.stopping and (self._rest or not self._ended):
            self._give_time()
        else:
            self._end()

    # Time and room

    def _give_time(self) -> None:
        """Something happened: the client has its time for what it has to do next."""
        if self._closing:
            return
        self._holding.wait()
        exchange, seconds = self._exchange, self._host.bounds.timeout
        if self._can_write.is_set():
            if exchange is not None and exchange.complete:
                seconds = NEVER
            elif exchange is None and not self._parser.begun:
                seconds = self._idle_seconds
        self.due = self._host.clock() + seconds

    def late(self) -> None:
        """The client had its time."""
        if self._closing:
            self.abort()
        else:
            self._cut_off(408)

    def leave(self) -> None:
        """Close as soon as the request that is here is answered."""
        if self._exchange is None or self._exchange.done:
            self._end()
        else:
            self._exchange.keep_alive = False

    def _make_way(self) -> None:
        unread = self._transport.get_write_buffer_size()
        if not self._closing:
            self._cut_off(503)
        if unread:  # to wait for its client would keep its descriptor
            self.abort()

    def _cut_off(self, status: int) -> None:
        """Close. A request that has begun is answered with this status, if it has no answer yet."""
        exchange = self._exchange
        if exchange is not None:
            exchange.leave()
        if not self._can_write.is_set() or (exchange is not None and exchange.started and not exchange.done):
            self.abort()
            return
        if self._parser.begun if exchange is None else not exchange.done:
            self.write(_refusal(status))
        self._end()

    def _end(self) -> None:
        """Close when the client has read everything, or when it is late. Until then it has its room."""
        self._closing, self._rest = True, b""
        self.due = self._host.clock() + self._host.bounds.timeout
        self._holding.wait()
        self._transport.close()


def _refusal(status: int) -> bytes:
    again = "retry-after: 5\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    return f"{line}{again}content-length: 0\r\nconnection: close\r\n\r\n".encode()

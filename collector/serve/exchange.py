"""One request and its answer, as an ASGI application sees them."""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import MutableMapping
from typing import Any, Protocol

from collector.base.http import App, Scope, header

logger = logging.getLogger("rollcall.collector")

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BODILESS = frozenset({204, 304})
FAILURE = b"content-length", b"0"
_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}".encode() for s in http.HTTPStatus}

Message = MutableMapping[str, Any]


class Line(Protocol):
    """What an exchange needs of its connection."""

    def write(self, data: bytes) -> None: ...
    async def writable(self) -> None: ...
    def want_body(self) -> None: ...
    def answered(self, exchange: Exchange) -> None: ...
    def abort(self) -> None: ...


class Exchange:
    """The connection fills in the request; the application takes it, and answers."""

    __slots__ = (
        "_chunked",
        "_date",
        "_expects",
        "_head",
        "_line",
        "_owed",
        "_parts",
        "_scope",
        "_taken",
        "_waiter",
        "complete",
        "done",
        "gone",
        "keep_alive",
        "started",
        "wanted",
    )

    def __init__(self, line: Line, scope: Scope, date: bytes, *, keep_alive: bool) -> None:
        self._line, self._scope, self._date = line, scope, date
        self.keep_alive = keep_alive
        # The client sends the body once it is told to.
        self._expects = header(scope, b"expect").lower() == "100-continue"
        self._parts: list[bytes] = []
        self._taken = False  # the application has the whole body
        self._waiter: asyncio.Future[None] | None = None
        self._head: list[bytes] = []  # of the answer, until it is sent with the first part of the body
        self._owed: int | None = None  # bytes that the answer's Content-Length still promises
        self._chunked = False
        self.wanted = True  # the next part of the body may be read
        self.complete = False  # the request is here
        self.started = self.done = False  # the answer is on its way, or wholly sent
        self.gone = False  # nobody waits for the answer

    async def run(self, app: App) -> None:
        """Have the request answered, whatever happens in the application."""
        try:
            await app(self._scope, self.receive, self.send)
        except Exception as error:
            if not self.gone:
                logger.exception("a request failed with %s", type(error).__name__)
        if self.done or self.gone:
            return
        if self.started:
            self._line.abort()
            return
        self._begin(500, [FAILURE])
        self._continue(b"", more=False)

    @property
    def waiting(self) -> bool:
        """Whether the application waits for the body."""
        return self._waiter is not None

    @property
    def unasked(self) -> bool:
        """Whether the client was never told to send the body."""
        return self._expects and not self.complete

    def add(self, body: bytes) -> None:
        """Bytes of the body; they are dropped once the answer is sent."""
        if not self.done:
            self._parts.append(body)

    def wake(self) -> None:
        """Let the application see what has arrived."""
        if self._parts or self.complete or self.gone:
            self.wanted = False
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    def leave(self) -> None:
        """Nobody waits for the answer any more."""
        self.gone = True
        self.wake()

    async def receive(self) -> Message:
        while not (self.gone or self._parts or (self.complete and not self._taken)):
            await self._wait()
        if self.gone:
            return {"type": "http.disconnect"}
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._taken = self.complete
        return {"type": "http.request", "body": body, "more_body": not self.complete}

    async def _wait(self) -> None:
        if self._expects:
            self._expects = False
            self._line.write(CONTINUE)
        self._waiter = asyncio.get_running_loop().create_future()
        self.wanted = True
        self._line.want_body()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begin(message["status"], list(message["headers"]))
            return
        await self._line.writable()
        more = message.get("more_body", False)
        if not self.gone:
            self._continue(message.get("body", b""), more=more)
        elif more:
            raise ConnectionResetError("nobody waits for the rest of the answer")

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        lines = [_STATUS_LINES[status], b"date: " + self._date]
        lines += [name + b": " + value for name, value in headers]
        length = next((value for name, value in headers if name == b"content-length"), None)
        self._owed = None if length is None or self._scope["method"] == "HEAD" else int(length)
        if length is None and status not in BODILESS and self._scope["http_version"] != "1.0":
            self._chunked = True
            lines.append(b"transfer-encoding: chunked")
        if self.unasked:
            self.keep_alive = False
        if not self.keep_alive:
            lines.append(b"connection: close")
        head = b"\r\n".join(lines)
        if not head.count(b"\r") == head.count(b"\n") == len(lines) - 1 or b"\0" in head:
            raise ValueError("a header of the answer contains a line end or a NUL")
        self._head = [head, b"\r\n\r\n"]

    def _continue(self, body: bytes, *, more: bool) -> None:
        if self._scope["method"] == "HEAD":
            body, self._chunked = b"", False
        if self._owed is not None:
            self._owed -= len(body)
            if self._owed < 0 or (self._owed and not more):
                raise ValueError("the answer's body has another length than its head says")
        parts = [*self._head, body]
        if self._chunked:
            parts = [*self._head, b"%x\r\n" % len(body), body, b"\r\n"] if body else self._head
            parts = [*parts, b"" if more else b"0\r\n\r\n"]
        self._head, self.started = [], True
        self._line.write(b"".join(parts))
        if not more:
            self.done = True
            self._line.answered(self)

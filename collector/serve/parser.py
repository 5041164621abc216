"""Bytes of a connection, parsed into requests by httptools, one at a time.

httptools parses all that it is given. So it is given bytes only to where a message may end: the end of a
body whose length is known, or else the next empty line. Whoever feeds can stop there.
"""

from __future__ import annotations

from typing import Protocol
from urllib.parse import unquote

import httptools

from collector.base.http import Scope

# Bytes of request line and headers together; trailers count as headers.
MAX_HEAD = 16 * 1024
# Headers and trailers of a request: each takes memory beside its text, however short that is.
MOST_FIELDS = 200
END = b"\r\n\r\n"
BEFORE = len(END) - 1


class Unreadable(Exception):  # noqa: N818 - an outcome
    """This is no request that the server takes. `status` is 400, or 431 if it is too long."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(status)
        self.status = status


class Reader(Protocol):
    """Who is told what was parsed."""

    def request_began(self) -> None: ...
    def head_arrived(self, scope: Scope, *, keep_alive: bool) -> None: ...
    def body_arrived(self, body: bytes) -> None: ...
    def request_arrived(self) -> None: ...


class RequestParser:
    """The parser of one connection."""

    def __init__(self, reader: Reader, client: tuple[str, int]) -> None:
        self.begun = False  # a request that is not complete
        self._reader, self._client = reader, client
        self._parser = httptools.HttpRequestParser(self)
        self._url, self._headers = b"", list[tuple[bytes, bytes]]()
        self._ended = False  # a request, in what is being fed
        self._in_head = True
        self._head = 0  # bytes of the head; after it, those since the last byte of the body
        self._fields = self._body_left = 0  # bytes
        self._count = 0  # of headers and trailers
        self._seen = b""  # the last bytes of a request that is not complete

    def feed(self, data: bytes | bytearray, at: int, length: int) -> int:
        """Parse from here up to where the request may end; where that is. Raises Unreadable."""
        end = self._next_end(data, at, length)
        part = memoryview(data)[at:end]
        self._seen = (self._seen + bytes(part[-BEFORE:]))[-BEFORE:]
        self._head = self._head + len(part) if self.begun else len(part)
        self._ended = False
        try:
            self._parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            pass  # the client goes on with HTTP
        except httptools.HttpParserError:
            raise Unreadable(431 if self._has_too_much() else 400) from None
        if self._head > MAX_HEAD:
            raise Unreadable(431)
        return end

    def _next_end(self, data: bytes | bytearray, at: int, length: int) -> int:
        if self._body_left:
            return min(length, at + self._body_left)
        across = (self._seen + data[at : min(length, at + BEFORE)]).find(END) if self._seen else -1
        if across >= 0:
            return at + across + len(END) - len(self._seen)
        found = data.find(END, at, length)
        return length if found < 0 else found + len(END)

    def _has_too_much(self) -> bool:
        return self._fields > MAX_HEAD or self._count > MOST_FIELDS

    # What httptools calls. It makes an HttpParserError of every exception.

    def on_message_begin(self) -> None:
        if self._ended:
            raise Unreadable  # never, because each part ends where a request may end
        self.begun, self._in_head = True, True
        self._fields = self._count = 0
        self._url, self._headers = b"", []
        self._reader.request_began()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += len(name) + len(value) + 4
        self._count += 1
        if self._has_too_much():
            raise Unreadable
        if self._in_head:  # a trailer is not a header: proxies do not check it
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        fields = dict(self._headers)
        self._in_head, self._head = False, 0
        self._body_left = int(fields.get(b"content-length", 0))
        if self._parser.should_upgrade() and (self._body_left or b"transfer-encoding" in fields):
            raise Unreadable  # the parser would take the body for the next request
        scope = self._scope()
        keep_alive = scope["http_version"] != "1.0" and self._parser.should_keep_alive()
        self._reader.head_arrived(scope, keep_alive=keep_alive)

    def on_body(self, body: bytes) -> None:
        self._body_left, self._head = max(0, self._body_left - len(body)), 0
        self._reader.body_arrived(body)

    def on_message_complete(self) -> None:
        self.begun, self._ended, self._in_head = False, True, True
        self._seen, self._head, self._body_left = b"", 0, 0
        self._reader.request_arrived()

    def _scope(self) -> Scope:
        url = httptools.parse_url(self._url)
        path = url.path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self._parser.get_http_version(),
            "method": self._parser.get_method().decode("ascii"),
            "scheme": "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": None,
        }

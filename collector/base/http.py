"""The parts of ASGI that the collector needs: answers, headers, and bodies with limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = b"application/json"
NOT_MODIFIED = 304
LONGEST_NUMBER = 19  # digits of a 64-bit length
TEXT = b"text/plain; charset=utf-8"
# Signs of a proxy. It need not give any: HAProxy and newer versions of nginx speak HTTP/1.1 and add no
# header unless they are told to. nginx before 1.29.7 speaks HTTP/1.0 by default.
PROXY_HEADERS = (b"forwarded", b"via", b"x-real-ip")


class Answer(NamedTuple):
    """A response."""

    status: int
    body: bytes = b""
    kind: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Send it; the body stays out of an answer to HEAD."""
        length = str(len(self.body)).encode()
        about_body = [(b"content-type", self.kind), (b"content-length", length)]
        if self.status == NOT_MODIFIED:  # a length would be that of the body that is not sent
            about_body = []
        headers = [*about_body, *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


class StreamedAnswer(NamedTuple):
    """A response in pieces. If a piece cannot be made, the client sees that the response broke off."""

    status: int
    pieces: AsyncIterator[bytes]
    kind: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Send a piece as soon as the client has read those before; none in an answer to HEAD."""
        headers = [(b"content-type", self.kind), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if not head:
            async for piece in self.pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Refused(Exception):  # noqa: N818 - an outcome, not a fault
    """A request is refused: status, code and message of the answer, and when to try again."""

    def __init__(self, status: int, code: str, message: str, retry: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry = status, code, message, retry


class ClientGone(Exception):  # noqa: N818 - an outcome
    """The client hung up."""


def header(scope: Scope, name: bytes) -> str:
    """The first header of that name, or empty."""
    return next(iter(headers(scope, name)), "")


def headers(scope: Scope, name: bytes) -> list[str]:
    return [bytes(value).decode("latin-1") for key, value in scope["headers"] if key == name]


def is_direct(scope: Scope) -> bool:
    """Whether the request itself gives no sign of a proxy."""
    return scope.get("http_version") != "1.0" and not any(
        name in PROXY_HEADERS or name.startswith(b"x-forwarded-") for name, _ in scope["headers"]
    )


async def read_body(receive: Receive, most: int, take: Callable[[int], object]) -> bytes:
    """The body; Refused as soon as it is longer than `most`, or if `take` refuses."""
    chunks: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > most:
            raise too_large(most)
        take(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def declared_length(scope: Scope) -> int:
    """The value of Content-Length; 0 if there is none."""
    text = header(scope, b"content-length")
    if text and not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise Refused(400, "bad_length", "Content-Length is not a number")
    return int(text or 0)


def too_large(most: int) -> Refused:
    """The request is too long, before or after decompression."""
    return Refused(413, "too_large", f"a request may have at most {most} bytes")


def with_headers(answer: Answer, more: Iterable[tuple[bytes, bytes]]) -> Answer:
    return answer._replace(headers=(*answer.headers, *more))

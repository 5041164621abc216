"""The little of ASGI that the collector needs: answers, headers, and a body read within its bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple

from collector.decode import Refused, too_large

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = b"application/json"
# When to come again, where the server is short of memory or of its store.
RETRY_SECONDS = 5
LONGEST_NUMBER = 19  # digits of a 64-bit length
TEXT = b"text/plain; charset=utf-8"


class Answer(NamedTuple):
    """A response."""

    status: int
    body: bytes = b""
    kind: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Send it; the body stays out of an answer to HEAD."""
        length = str(len(self.body)).encode()
        headers = [(b"content-type", self.kind), (b"content-length", length), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


class Gone(Exception):  # noqa: N818 - an outcome
    """The client hung up."""


class Budget:
    """Bytes that may wait in memory at a time, over all requests."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0

    def take(self, count: int) -> bool:
        """Reserve bytes, or say that there is no room."""
        if self.used + count > self.size:
            return False
        self.used += count
        return True

    def give(self, count: int) -> None:
        """Give reserved bytes back."""
        self.used -= count


def header(scope: Scope, name: bytes) -> str:
    """The first header of that name, or empty."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""


def headers(scope: Scope, name: bytes) -> list[str]:
    """Every header of that name."""
    return [bytes(value).decode("latin-1") for key, value in scope["headers"] if key == name]


async def read_body(receive: Receive, most: int, room: Callable[[int], bool]) -> bytes:
    """The body, as it came: refused as soon as it is longer than `most`, or when there is no room."""
    chunks: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > most:
            raise too_large()
        make_room(room, len(chunk))
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def make_room(room: Callable[[int], bool], count: int) -> None:
    """Take room for so many bytes, or refuse the request for now."""
    if not room(count):
        raise Refused(503, "busy", "too much is waiting; come again", RETRY_SECONDS)


def declared_length(scope: Scope) -> int:
    """What Content-Length says; 0 where it says nothing."""
    text = header(scope, b"content-length")
    if text and not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise Refused(400, "bad_length", "Content-Length is not a number")
    return int(text or 0)


def with_headers(answer: Answer, more: Iterable[tuple[bytes, bytes]]) -> Answer:
    """The answer with more headers."""
    return answer._replace(headers=(*answer.headers, *more))

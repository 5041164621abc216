"""Bytes become requests, however they are cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.base.http import Scope
from collector.serve.parser import MAX_HEAD, MOST_FIELDS, RequestParser, Unreadable

BODIES = st.lists(
    st.sampled_from([b"x", b"\r\n\r\n", b"\r\n", b"GET / HTTP/1.1\r\n\r\n", b"0\r\n\r\n"]), max_size=6
)


class Told:
    """What a parser tells."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.parser = RequestParser(self, ("192.0.2.1", 1))

    def request_began(self) -> None:
        self.path, self.body = "", b""

    def head_arrived(self, scope: Scope, *, keep_alive: bool) -> None:
        self.path = scope["path"]

    def body_arrived(self, body: bytes) -> None:
        self.body += body

    def request_arrived(self) -> None:
        self.requests.append((self.path, self.body))

    def feed(self, data: bytes) -> None:
        """Feed all of it; at most one request arrives at a time."""
        at = 0
        while at < len(data):
            before = len(self.requests)
            at = self.parser.feed(data, at, len(data))
            assert len(self.requests) - before <= 1


def written(number: int, parts: list[bytes], chunked: bool, trailer: bool) -> tuple[bytes, tuple[str, bytes]]:
    """A request in bytes, and what a parser should tell of it."""
    body = b"".join(parts)
    head = f"POST /{number} HTTP/1.1\r\nHost: x\r\n".encode()
    if chunked:
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        end = b"0\r\nA: b\r\n\r\n" if trailer else b"0\r\n\r\n"
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + end, (f"/{number}", body)
    if body:
        head += b"Content-Length: %d\r\n" % len(body)
    return head + b"\r\n" + body, (f"/{number}", body)


@given(st.lists(st.tuples(BODIES, st.booleans(), st.booleans()), min_size=1, max_size=5), st.data())
@settings(max_examples=300, deadline=None)
def test_requests_are_the_same_however_they_are_cut(
    plans: list[tuple[list[bytes], bool, bool]], data: Any
) -> None:
    made = [written(number, *plan) for number, plan in enumerate(plans)]
    stream = b"".join(raw for raw, _ in made)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    told = Told()
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        told.feed(stream[begin:end])
    assert told.requests == [expected for _, expected in made]
    assert not told.parser.begun


@pytest.mark.parametrize("chunked", [True, False])
def test_an_end_that_comes_in_two_pieces_is_the_end(chunked: bool) -> None:
    first, second = (written(number, [b"\r\n\r\n", b"x"], chunked, trailer=True) for number in (1, 2))
    empty = b"GET /3 HTTP/1.1\r\n\r\n"
    stream = first[0] + empty + second[0] + empty
    for cut in range(len(stream)):
        told = Told()
        told.feed(stream[:cut])
        told.feed(stream[cut:])
        assert told.requests == [first[1], ("/3", b""), second[1], ("/3", b"")]


def test_a_byte_at_a_time_is_a_request_too() -> None:
    told = Told()
    raw, expected = written(1, [b"\r\n\r\n", b"x"], chunked=True, trailer=True)
    for number in range(3 * len(raw)):
        told.feed(raw[number % len(raw) :][:1])
    assert told.requests == [expected] * 3


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\n\r\n",
    ],
)
def test_what_two_servers_might_read_differently_is_refused(raw: bytes) -> None:
    """Each is refused by the oldest httptools that pyproject.toml allows, too."""
    told = Told()
    with pytest.raises(Unreadable):
        told.feed(raw)
    assert not told.requests


@pytest.mark.parametrize("begun", [b"0\r\nA: ", b"0\r\n", b"1;", b"1;a=", b"0"])
def test_what_stands_between_the_bytes_of_a_body_has_an_end(begun: bytes) -> None:
    """httptools keeps a trailer until it ends, and copies it with every piece that comes."""
    told = Told()
    told.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + begun)
    told.feed(b"0" * (MAX_HEAD // 2))
    with pytest.raises(Unreadable) as refused:
        told.feed(b"0" * (MAX_HEAD // 2))
    assert refused.value.status == 431


def test_a_body_in_many_small_chunks_is_no_long_head() -> None:
    told = Told()
    raw, expected = written(1, [b"x", b"\r\n\r\n"] * (MAX_HEAD // 8), chunked=True, trailer=True)
    told.feed(raw)
    assert told.requests == [expected]


@pytest.mark.parametrize(
    "begun", [b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"]
)
def test_many_short_headers_are_too_many(begun: bytes) -> None:
    """Each of them takes a hundred bytes of memory, for as long as a head without end may take."""
    told = Told()
    told.feed(begun + b"a:\r\n" * (MOST_FIELDS - 1))
    with pytest.raises(Unreadable) as refused:
        told.feed(b"a:\r\n" * 3)
    assert refused.value.status == 431


def test_headers_of_each_request_are_counted_apart() -> None:
    told = Told()
    for _ in range(3):
        told.feed(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * MOST_FIELDS + b"\r\n")
    assert len(told.requests) == 3

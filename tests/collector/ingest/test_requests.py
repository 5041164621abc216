"""Requests that are malformed, too large or odd."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import pytest

from collector.ingest.decode import MAX_BATCH, MAX_DEPTH, MAX_EVENT, MAX_REQUEST
from tests.collector.running import Collector


def nested(levels: int) -> bytes:
    """A batch with an event of so many levels."""
    return b'{"batch":[{"event":"x","p":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}]}"


BAD = {
    "deep": b'{"batch":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep event": b'{"batch":[{"event":"x","p":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}]}",
    "an event a level too deep": nested(MAX_DEPTH + 1),
    "no UTF-8 in an event": b'{"batch":[{"event":"\xff"}]}',
    "no UTF-8 in what is shared": b'{"batch":[{"event":"x"}],"context":{"a":"\xff"}}',
    "no UTF-8 in when it was sent": b'{"batch":[{"event":"x"}],"sentAt":"\xff"}',
    "not JSON": b"\x00\xff{",
    "an array": b"[1]",
    "no batch": b"{}",
    "a batch of numbers": b'{"batch":[1]}',
    "a type of its own": b'{"batch":[{"type":"delete"}]}',
    "a track without a name": b'{"batch":[{"type":"track"}]}',
    "a long message id": b'{"batch":[{"event":"x","messageId":"' + b"m" * 101 + b'"}]}',
    "a huge number of digits": b'{"batch":[{"event":"x","p":' + b"9" * 5000 + b"}]}",
    "bad gzip": b"\x1f\x8b" + b"x" * 100,
    "half a gzip": gzip.compress(b'{"batch":[]}')[:-9],
}


LARGE = {
    "an event": {"batch": [{"event": "x", "p": "x" * (MAX_EVENT + 1000)}]},
    "a batch": {"batch": [{"event": "x"}] * (MAX_BATCH + 1)},
    "a request": {"batch": [{"event": "x", "p": "x" * 30_000}] * 20},
}


@pytest.mark.parametrize("name", BAD)
def test_what_can_never_be_taken_is_400(running: Collector, name: str) -> None:
    reply = running.post("/v1/batch", BAD[name])
    assert reply.status == 400
    assert {"code", "message"} <= set(reply.json())


def test_an_event_may_be_as_deep_as_it_is_said(running: Collector) -> None:
    assert running.post("/v1/batch", nested(MAX_DEPTH)).status == 200


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_413(running: Collector, name: str) -> None:
    assert running.post("/v1/batch", LARGE[name]).status == 413


def test_what_we_add_to_an_event_is_not_held_against_it(running: Collector) -> None:
    event = {"event": "x", "messageId": "m" * 36, "anonymousId": "a" * 36, "p": ""}
    event["p"] = "x" * (MAX_EVENT - len(json.dumps(event, separators=(",", ":"))))
    body = {"batch": [event], "sentAt": "2026-11-20T12:00:00.000Z"}
    assert running.post("/v1/batch", body).status == 200


def test_a_bomb_is_refused_without_being_unpacked(running: Collector) -> None:
    def peak() -> int:
        assert running.process is not None
        status = Path(f"/proc/{running.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])

    before = peak()
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(bomb.compress(b" " * 1_000_000) for _ in range(400)) + bomb.flush()
    assert len(data) < MAX_REQUEST
    assert running.post("/v1/batch", data, Content_Encoding="gzip").status == 413
    assert peak() - before < 8 * 1024


def test_what_a_batch_shares_does_not_multiply(running: Collector) -> None:
    """A request that is small may not make the server keep what is large."""
    shared = {"context": {"x": "x" * 20_000}}
    assert running.post("/v1/batch", {"batch": [{"event": "x"}] * 50, **shared}).status == 200
    assert running.post("/v1/batch", {"batch": [{"event": "x"}] * MAX_BATCH, **shared}).status == 413


@pytest.mark.parametrize(
    "odd",
    [
        b'{"event":"lone \\ud800 surrogate"}',
        b'{"event":"NUL \\u0000 in it"}',
        b'{"event":"x","p":NaN,"q":-Infinity,"r":1e999}',
        b'\xef\xbb\xbf{"event":"x"}',
        b'{"event":"x","timestamp":"9999-99-99","sentAt":{},"context":7,"properties":[]}',
        b'{"event":"Installation Errors","anonymousId":"a","properties":{"line":1e300,"exitCode":"x"}}',
    ],
)
def test_what_real_clients_send_that_is_no_json_is_kept(running: Collector, odd: bytes) -> None:
    before = len(running.export())
    assert running.post("/v1/track", odd).status == 200
    assert len(running.export()) == before + 1

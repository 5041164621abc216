"""Requests that are malformed, too large or odd."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from collector.ingest.api import MOST_LISTED
from collector.ingest.decode import MAX_EVENT, MAX_REQUEST, MAX_SHARED
from collector.ingest.envelope import MAX_BATCH
from collector.ingest.jsontext import MAX_DEPTH
from tests.collector.running import Collector


def nested(levels: int) -> bytes:
    """An event of so many levels."""
    return b'{"event":"x","userId":"u","p":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def sized(size: int, fill: str = "x") -> bytes:
    """An event of so many bytes, with the spaces and escapes that a client may send."""
    event = {"event": "x", "userId": "u", "p": ""}
    bare = json.dumps(event, ensure_ascii=False).encode()
    many, rest = divmod(size - len(bare), len(fill.encode()))
    return bare.replace(b'"p": ""', b'"p": "%s"' % (fill * many + "x" * rest).encode())


# Whoever looks for the end of the text again from each of its quotes is busy for a quarter of an hour.
ENDLESS = b'{"batch":' + b"[" * 40_000 + b'"' + b'\\"' * 220_000
# Requests that cannot be read as a whole.
UNREADABLE = {
    "deep": b'{"batch":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep, and a text without end": ENDLESS,
    "deep, and a text that ends in an escape": ENDLESS + b"\\",
    "no UTF-8 in what is shared": b'{"batch":[{"event":"x"}],"context":{"a":"\xff"}}',
    "no UTF-8 in when it was sent": b'{"batch":[{"event":"x"}],"sentAt":"\xff"}',
    "not JSON": b"\x00\xff{",
    "not JSON in an event": b'{"batch":[{"event":tru}]}',
    "an array": b"[1]",
    "no batch": b"{}",
    "a batch that is a number": b'{"batch":1}',
    "more after the end": b'{"batch":[],"x":NaN} x',
    "a comma too many": b'{"batch":[1,]}',
    "a name that is none": b'{1:2,"batch":[]}',
    "fields without end": b'{"batch":[]' + b',"x":NaN' * 2000 + b"}",
    "bad gzip": b"\x1f\x8b" + b"x" * 100,
    "half a gzip": gzip.compress(b'{"batch":[]}')[:-9],
    "half a second member": gzip.compress(b'{"batch":[]}') + gzip.compress(b" ")[:-9],
    "members without end": gzip.compress(b"") * 1000 + gzip.compress(b'{"batch":[]}'),
}
# Events that can never be taken, and the code that says why.
BAD = {
    "no object": (b"1", "bad_json"),
    "a level too deep": (nested(MAX_DEPTH + 1), "too_deep"),
    "too deep for Python": (
        b'{"event":"x","userId":"u","p":' + b'{"}":' * 5000 + b"1" + b"}" * 5001,
        "too_deep",
    ),
    "no UTF-8": (b'{"event":"\xff","userId":"u"}', "bad_json"),
    "a line end in a text": (b'{"event":"a\nb","userId":"u"}', "bad_json"),
    "a type of its own": (b'{"type":"delete","userId":"u"}', "bad_type"),
    "a track without a name": (b'{"type":"track","userId":"u"}', "no_event"),
    "a track with an empty name": (b'{"type":"track","event":"","userId":"u"}', "no_event"),
    "a long message id": (b'{"event":"x","userId":"u","messageId":"' + b"m" * 101 + b'"}', "bad_message_id"),
    "a huge number of digits": (b'{"event":"x","userId":"u","p":' + b"9" * 5000 + b"}", "bad_json"),
    "no id": (b'{"event":"x"}', "no_user_anon_id"),
    "ids that are none": (b'{"event":"x","userId":"","anonymousId":true}', "no_user_anon_id"),
    "a byte too much": (sized(MAX_EVENT + 1), "event_too_large"),
    "a byte too much of other letters": (sized(MAX_EVENT + 1, "é😀"), "event_too_large"),
}

LARGE = {
    "a batch": {"batch": [{"event": "x", "userId": "u"}] * (MAX_BATCH + 1)},
    "a batch of what is no JSON": b'{"batch":[NaN' + b",0" * 200_000 + b"]}",
    "a request": {"batch": [{"event": "x", "userId": "u", "p": "x" * 30_000}] * 20},
    "what it shares": {"batch": [], "context": {"p": "x" * MAX_SHARED}},
}


def kept(collector: Collector, like: str = "%") -> int:
    """How many events are stored, or how many whose JSON has this in it; an export would start a process."""
    with closing(sqlite3.connect(collector.database.removeprefix("sqlite:///"))) as database:
        found = database.execute("SELECT count(*) FROM events WHERE body LIKE ?", [f"%{like}%"]).fetchone()
    return int(found[0])


def test_the_docs_have_every_code_and_bound() -> None:
    page = (Path(__file__).parents[3] / "docs" / "collector.md").read_text()
    table = page.partition("| code | the event |")[2].partition("\n\n")[0]
    first = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert set(re.findall(r"`([a-z_]+)`", "".join(first))) == {code for _, code in BAD.values()}
    for said in (
        f"{MAX_EVENT:,} bytes",
        f"{MAX_DEPTH} levels",
        f"{MAX_BATCH:,} events",
        f"{MOST_LISTED} rejects",
    ):
        assert said in page


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_400(running: Collector, name: str) -> None:
    reply = running.post("/v1/batch", UNREADABLE[name])
    assert reply.status == 400
    assert {"code", "message"} <= set(reply.json())


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("more", [b"", b',"context":{"clock":NaN}'], ids=["JSON", "JSON with a NaN"])
def test_one_bad_event_costs_no_other(running: Collector, name: str, more: bytes) -> None:
    event, code = BAD[name]
    mark = f"{name} {len(more)}"
    good = [b'{"event":"%s","userId":"u"}' % mark.encode()] * 9
    batch = [*good[:4], event, *good[4:]]
    reply = running.post("/v1/batch", b'{"batch":[' + b", ".join(batch) + b"]" + more + b"}")
    assert reply.status == 200
    told = reply.json()
    assert told["success"] is True
    assert [(one["index"], one["code"]) for one in told["rejected"]] == [(4, code)]
    assert told["rejected"][0]["message"]
    assert kept(running, mark) == 9


@pytest.mark.parametrize("name", sorted(set(BAD) - {"a type of its own"}))  # the address tells the type
def test_a_single_event_that_can_never_be_taken_is_an_error(running: Collector, name: str) -> None:
    event, code = BAD[name]
    reply = running.post("/v1/track", event)
    assert (reply.status, reply.json()["code"]) == (413 if code == "event_too_large" else 400, code)


def test_a_batch_of_nothing_but_bad_events_lists_the_first_hundred(running: Collector) -> None:
    before = kept(running)
    reply = running.post("/v1/batch", b'{"batch":[' + b",".join([b"1"] * MAX_BATCH) + b"]}")
    assert reply.status == 200
    told = reply.json()
    assert [one["index"] for one in told["rejected"]] == list(range(100))
    assert told["omitted"] == MAX_BATCH - 100
    assert len(reply.body) < 16_000
    assert kept(running) == before


@pytest.mark.parametrize("fill", ["x", "é😀"])
def test_an_event_may_have_as_many_bytes_as_it_is_said(running: Collector, fill: str) -> None:
    """As they were sent: spaces between the events do not count, nor what the collector adds."""
    event = sized(MAX_EVENT, fill)
    assert len(event) == MAX_EVENT
    before = kept(running)
    assert running.post("/v1/track", b"  " + event + b"\n").status == 200
    body = b'{"batch":[ ' + event + b' ],"context":{"locale":"de"},"sentAt":"2026-11-20T12:00:00.000Z"'
    for text in (body + b"}", body + b',"x":NaN}'):
        assert running.post("/v1/batch", text).json() == {"success": True}
    assert kept(running) == before + 3


def test_an_event_may_be_as_deep_as_it_is_said(running: Collector) -> None:
    assert running.post("/v1/batch", b'{"batch":[' + nested(MAX_DEPTH) + b"]}").json() == {"success": True}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_413(running: Collector, name: str) -> None:
    assert running.post("/v1/batch", LARGE[name]).status == 413


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


@pytest.mark.parametrize("levels", [1, MAX_DEPTH])
def test_what_a_batch_shares_does_not_multiply(running: Collector, levels: int) -> None:
    """A request that is small may not make the server keep what is large, nor make it only to refuse it."""
    shared = b',"context":{"x":"' + b"x" * 20_000 + b'","y":' + b"[" * levels + b"]" * levels + b"}}"
    for count, status in ((50, 200), (MAX_BATCH, 413)):
        batch = b",".join([b'{"event":"x","userId":"u"}'] * count)
        reply = running.post("/v1/batch", b'{"batch":[' + batch + b"]" + shared)
        assert reply.status == status
        if status == 200:
            codes = {one["code"] for one in reply.json().get("rejected", [])}
            assert codes == ({"too_deep"} if levels == MAX_DEPTH else set())


@pytest.mark.parametrize(
    "odd",
    [
        b'{"userId":"u","event":"lone \\ud800 surrogate"}',
        b'{"userId":"u","event":"NUL \\u0000 in it"}',
        b'{"userId":"u","event":"x","p":NaN,"q":-Infinity,"r":1e999}',
        b'\xef\xbb\xbf{"userId":"u","event":"x"}',
        b'{"userId":7,"event":"x"}',
        b'{"userId":"u","event":"x","timestamp":"9999-99-99","sentAt":{},"context":7,"properties":[]}',
        b'{"event":"Installation Errors","anonymousId":"a","properties":{"line":1e300,"exitCode":"x"}}',
    ],
)
def test_what_real_clients_send_that_is_no_json_is_kept(running: Collector, odd: bytes) -> None:
    before = kept(running)
    assert running.post("/v1/track", odd).status == 200
    assert kept(running) == before + 1

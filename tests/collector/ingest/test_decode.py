"""The decoder: any bytes become events or a refusal."""

from __future__ import annotations

import contextlib
import json
import random
import resource
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.base.events import Event, counted_text
from collector.base.http import Refused
from collector.ingest import decode
from collector.ingest.decode import Reject

NOW = 1_795_168_800_000


Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


FIELDS = ["type", "event", "messageId", "anonymousId", "timestamp", "originalTimestamp", "sentAt", "context"]


Field = st.sampled_from(
    [*FIELDS, "properties", "userId", "name", "writeKey", "receivedAt", "batch", "integrations"]
)


CATALOGUE = ["track", "page", "Instance Active", "Installation Errors"]


Hostile = st.dictionaries(Field, Json | st.sampled_from(CATALOGUE), max_size=8)


def read(body: bytes) -> list[Event | Reject]:
    return list(decode.events_in(body, "batch", 1, NOW))


def check(body: bytes) -> None:
    """The decoder's whole contract: events that can be stored, and rejects; or a refusal with a 4xx."""
    try:
        found = read(body)
    except Refused as refused:
        assert 400 <= refused.status < 500  # noqa: PT017 - either outcome is right
        return
    for index, event in enumerate(found):
        if isinstance(event, Reject):
            assert (event.index, event.status // 100) == (index, 4)
            continue
        assert len(event.id) == 16
        assert 0 < event.time <= event.received == NOW
        json.loads(event.body)
        for text in (event.type, event.name, event.body, *(event.fact or ())):
            if isinstance(text, str):
                assert "\0" not in text
                text.encode()


@given(st.lists(Hostile, max_size=4), st.dictionaries(Field, Json, max_size=4))
def test_any_json_is_events_or_a_refusal(batch: list[Any], root: dict[str, Any]) -> None:
    with contextlib.suppress(UnicodeEncodeError):
        check(json.dumps({**root, "batch": batch}).encode())


@given(st.binary(max_size=200), st.integers(0, 150))
def test_any_bytes_are_events_or_a_refusal(noise: bytes, at: int) -> None:
    check(noise)
    good = (
        b'{"batch":[{"event":"Instance Active","anonymousId":"a","context":{"ip":"1.2.3.4"}}],"sentAt":null}'
    )
    check(good[:at] + noise + good[at:])
    with contextlib.suppress(Refused):
        check(decode.unzip_body(noise))


def test_a_long_text_where_a_time_belongs_is_not_remembered() -> None:
    tracemalloc.start()
    try:
        kept = "\U0001f600" * 100_000
        noticed = tracemalloc.get_traced_memory()[0]
        assert noticed > len(kept)
        for n in range(20):
            with contextlib.suppress(Refused):
                read(json.dumps({"batch": [{"event": "x"}], "sentAt": f"{n}{kept}"}).encode())
        assert tracemalloc.get_traced_memory()[0] < 3 * noticed
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("letter", "most"), [("x", 200), ("\u00e4", 200), ("\u5b89", 133), ("\U0001f600", 100)]
)
def test_a_text_that_is_counted_is_short_in_bytes_too(letter: str, most: int) -> None:
    """Else one failure, with six of them in an entry of an index, would stop all counting in PostgreSQL."""
    assert counted_text(most * letter) == most * letter
    assert counted_text(300 * letter) == most * letter


AT = 1_795_168_800_000  # 2026-11-20T10:00:00Z


def test_ids_that_are_numbers_are_kept_as_their_digits() -> None:
    (number,) = decode.events_in(b'{"event":"x","messageId":7,"anonymousId":8}', "track", 1, AT)
    (text,) = decode.events_in(b'{"event":"x","messageId":"7","anonymousId":"8"}', "track", 1, AT)
    assert isinstance(number, Event)
    assert isinstance(text, Event)
    assert (number.id, number.who) == (text.id, text.who)


@pytest.mark.slow
def test_200_000_mangled_requests_neither_break_nor_fill_the_decoder() -> None:
    chance = random.Random(1)
    good = b'{"batch":[{"type":"track","event":"Instance Active","messageId":"a","anonymousId":"b",'
    good += b'"timestamp":"2026-11-20T10:00:00.000Z","context":{"ip":"1.2.3.4","app":{"version":"1"}},'
    good += b'"properties":{"line":3,"x":[1,2.5,null,"\\u00e9"]}}],"sentAt":"2026-11-20T10:00:00.000Z"}'
    marks = [
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"\\",
        b"\\ud800",
        b"1e999",
        b"NaN",
        b"\x00",
        b"\xff",
        b",",
        b":",
        b"null",
    ]
    settled = 0
    for number in range(200_000):
        body = bytearray(good)
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(body))
            body[at : at + chance.randrange(3)] = chance.choice(marks)
        check(bytes(body))
        if number == 20_000:
            settled = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - settled < 16 * 1024

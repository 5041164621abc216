"""Times, ids, peers and buckets: the small values that everything rests on."""

from __future__ import annotations

import ipaddress
import json
import logging
import random
import resource
import uuid
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.base.ids import as_uuid, key_of, new_id
from collector.base.limits import TokenBuckets
from collector.base.peers import in_networks, peer_of
from collector.base.times import EARLIEST, corrected, read_time, write_time
from collector.ingest import decode
from collector.serve.logs import JsonLines
from tests.collector.ingest.test_hostile import check

AT = 1_795_168_800_000  # 2026-11-20T10:00:00Z
TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("127.0.0.1"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-20T10:00:00.000Z", AT),
        ("2026-11-20t10:00:00z", AT),
        ("2026-11-20T10:00:00+00:00", AT),
        ("2026-11-20T12:00:00+0200", AT),
        ("2026-11-20T05:00:00-05", AT),
        ("2026-11-20 10:00:00", AT),
        ("2026-11-20T10:00:00.1234567Z", AT + 123),
        ("2026-11-20T10:00:00.123456789+00:00", AT + 123),
        ("2026-11-20T10:00:00,5Z", AT + 500),
        (AT, AT),
        (AT / 1000, AT),
        ("", None),
        ("soon", None),
        ("2026-13-40T10:00:00Z", None),
        (None, None),
        (True, None),
        ({}, None),
        (1e300, None),
    ],
)
def test_a_time_is_read_as_clients_write_it(written: object, expected: int | None) -> None:
    assert read_time(written) == expected


@given(st.integers(EARLIEST, 4_000_000_000_000))
def test_a_time_that_was_written_is_read_again(at: int) -> None:
    assert read_time(write_time(at)) == at
    assert (
        datetime.fromisoformat(write_time(at)[:-1] + "+00:00").astimezone(timezone.utc).timestamp()
        == at / 1000
    )


@given(st.text(max_size=40) | st.integers() | st.floats() | st.binary())
def test_anything_is_a_time_or_none(written: object) -> None:
    assert read_time(written) is None or isinstance(read_time(written), int)


def test_nothing_happens_after_it_was_received_nor_before_there_were_clocks() -> None:
    assert corrected(AT, None, None) == AT
    assert corrected(AT, AT + 500, AT + 100) == AT - 400
    assert corrected(AT, None, AT + 1) == AT
    assert corrected(AT, AT, 0) == AT


@given(st.uuids())
def test_a_uuid_is_its_own_key_in_either_case(value: uuid.UUID) -> None:
    assert key_of(str(value)) == key_of(str(value).upper()) == value.bytes
    assert as_uuid(value.bytes) == str(value)


@given(st.text(min_size=1, max_size=100))
def test_any_text_has_a_key_of_16_bytes(text: str) -> None:
    assert len(key_of(text)) == 16
    assert key_of(text) != key_of(text + "x")


@pytest.mark.parametrize(
    "text", ["0193a5b0-1234-7abc-8def-0123456789ag", "0193a5b0-1234-7abc-8def- 123456789a ", "-" * 36]
)
def test_what_only_looks_like_a_uuid_is_text(text: str) -> None:
    assert key_of(text) != key_of(text[:-1] + "0")
    assert len(key_of(text)) == 16


def test_ids_that_are_numbers_are_kept_as_their_digits() -> None:
    (number,) = decode.events_in(b'{"event":"x","messageId":7,"anonymousId":8}', "track", 1, AT)
    (text,) = decode.events_in(b'{"event":"x","messageId":"7","anonymousId":"8"}', "track", 1, AT)
    assert (number.id, number.who) == (text.id, text.who)


def read_secret() -> int:
    return int("secret")


def test_a_log_line_says_where_it_broke_and_not_what_was_sent() -> None:
    with pytest.raises(ValueError, match="secret") as broken:
        read_secret()
    at = (broken.type, broken.value, broken.tb)
    record = logging.LogRecord("rollcall", logging.ERROR, __file__, 1, "it %s", ("broke",), at)
    line = JsonLines().format(record)
    assert "secret" not in line
    told = json.loads(line)
    assert (told["level"], told["message"], told["error"]) == ("error", "it broke", "ValueError")
    assert told["where"].startswith("test_values.py:")


def test_ids_that_tell_their_time_are_keys_in_its_order() -> None:
    times = [AT + n for n in range(50)]
    for form in ("node-next-{}-6f1", "ajs-next-{}-6f1"):
        keys = [key_of(form.format(at)) for at in times]
        assert keys == sorted(keys)
    made = [new_id(at) for at in times]
    assert made == sorted(made)
    assert {uuid.UUID(text).version for text in made} == {7}


@pytest.mark.parametrize(
    ("address", "forwarded", "peer"),
    [
        ("203.0.113.1", ["9.9.9.9"], "203.0.113.1"),
        ("10.0.0.1", ["9.9.9.9"], "9.9.9.9"),
        ("10.0.0.1", ["1.1.1.1, 9.9.9.9, 10.0.0.2"], "9.9.9.9"),
        ("10.0.0.1", ["1.1.1.1", "9.9.9.9"], "9.9.9.9"),
        ("10.0.0.1", ["junk"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("2001:db8::1", [], "2001:db8::/64"),
        ("::ffff:10.0.0.1", ["9.9.9.9"], "9.9.9.9"),
        ("", [], ""),
    ],
)
def test_a_peer_is_who_the_trusted_proxies_saw(address: str, forwarded: list[str], peer: str) -> None:
    assert peer_of(address, forwarded, TRUSTED) == peer


def test_an_address_that_is_none_is_in_no_network() -> None:
    assert in_networks(TRUSTED, "10.1.2.3")
    assert not in_networks(TRUSTED, "unix:")


def test_a_bucket_lets_a_large_batch_in_and_has_it_paid_off() -> None:
    now = 100.0
    buckets: TokenBuckets[str] = TokenBuckets(10, lambda: now)
    assert buckets.wait("a") == 0
    buckets.pay("a", 100)
    assert buckets.wait("a") == pytest.approx(8.1)
    assert buckets.wait("b") == 0
    now += 8.2
    assert buckets.wait("a") == 0


def test_buckets_are_bounded_and_zero_is_no_limit() -> None:
    few: TokenBuckets[int] = TokenBuckets(1, lambda: 0.0, most=3)
    for number in range(10):
        few.pay(number, 1)
    assert len(few._levels) == 3
    none: TokenBuckets[int] = TokenBuckets(0, lambda: 0.0)
    none.pay(1, 1e9)
    assert none.wait(1) == 0


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

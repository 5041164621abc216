"""How much a source or a client address may send."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from tests.collector.running import Collector, conversation, event

SLOW = "0.5"
"""A rate that even a busy machine surpasses."""


def test_a_source_and_a_peer_have_their_rate(start: Callable[..., Collector], tmp_path: Path) -> None:
    for name in ("ROLLCALL_COLLECTOR_RATE", "ROLLCALL_COLLECTOR_PEER_RATE"):
        limited = start(f"sqlite:///{tmp_path}/{name}.db", **{name: SLOW})
        replies = [limited.post("/v1/track", {"event": "x", "userId": "u"}) for _ in range(90)]
        assert {reply.status for reply in replies} == {200, 429}
        refused = next(reply for reply in replies if reply.status == 429)
        assert int(refused.headers["Retry-After"]) >= 1


def test_a_rate_is_one_of_bytes_too(start: Callable[..., Collector], tmp_path: Path) -> None:
    """As many KiB as events: 20 events of 10 KiB are 200 KiB, and a bucket of 5 a second holds 50."""
    for name in ("ROLLCALL_COLLECTOR_RATE", "ROLLCALL_COLLECTOR_PEER_RATE"):
        limited = start(f"sqlite:///{tmp_path}/{name}.db", **{name: "5"})
        began = time.monotonic()
        large = [limited.post("/v1/track", event(p="x" * 10_240)).status for _ in range(20)]
        assert 5 <= large.count(200) <= 6 + (time.monotonic() - began) * 5 / 10
        assert 429 in large


def test_what_a_batch_shares_counts_for_each_of_its_events(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    """It is written once, and worked at 20 times: 400 KiB, where a bucket holds 50. Deep ones are refused."""
    for levels in (1, 100):
        limited = start(f"sqlite:///{tmp_path}/{levels}.db", ROLLCALL_COLLECTOR_PEER_RATE="5")
        inner = b"[" * levels + b"]" * levels
        batch = b",".join([b'{"event":"x","userId":"u"}'] * 20)
        context = b'{"x":"' + b"x" * 20_480 + b'","y":' + inner + b"}"
        body = b'{"batch":[' + batch + b'],"context":' + context + b"}"
        assert [limited.post("/v1/batch", body).status for _ in range(3)] == [200, 429, 429]


def test_what_is_refused_counts_by_its_bytes(start: Callable[..., Collector], tmp_path: Path) -> None:
    """By their number five would be taken at once; this one is paid off for minutes."""
    limited = start(f"sqlite:///{tmp_path}/r.db", ROLLCALL_COLLECTOR_PEER_RATE=SLOW)
    seen = [limited.post("/v1/batch", {"batch": ["x" * 102_400]}).status for _ in range(20)]
    assert seen == [200] + [429] * 19
    seen = [limited.post("/v1/track", b"x" * 10_240, key="").status for _ in range(3)]
    assert seen == [429] * 3


def test_a_forged_forwarding_header_makes_no_other_peer(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    settings = {"ROLLCALL_COLLECTOR_PEER_RATE": SLOW}
    open_one = start(f"sqlite:///{tmp_path}/a.db", **settings)
    behind = start(f"sqlite:///{tmp_path}/b.db", **settings, ROLLCALL_COLLECTOR_TRUSTED_PROXIES="127.0.0.1")
    for collector, expected in ((open_one, {200, 429}), (behind, {200})):
        seen = {
            collector.post(
                "/v1/track", {"event": "x", "userId": "u"}, X_Forwarded_For=f"9.9.9.{number}"
            ).status
            for number in range(90)
        }
        assert seen == expected
    left = {
        behind.post("/v1/track", {"event": "x", "userId": "u"}, X_Forwarded_For=f"{n}.1.1.1, 8.8.8.8").status
        for n in range(90)
    }
    assert left == {200, 429}


def test_a_trailer_names_no_peer(start: Callable[..., Collector], tmp_path: Path) -> None:
    """Or guesses of a password would be without limit behind a proxy that hands trailers on."""
    collector = start(f"sqlite:///{tmp_path}/t.db", ROLLCALL_COLLECTOR_TRUSTED_PROXIES="127.0.0.1")
    collector.verb("users", "add", "ada", stdin="correct horse battery\n")
    shown = collector.get("/signin")
    token = re.search(rb'name="token" value="([^"]*)"', shown.body)
    assert token
    form = urlencode({"name": "ada", "password": "wrong", "token": token[1].decode()}).encode()
    head = (
        "POST /signin HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n"
        f"Cookie: {shown.headers['Set-Cookie'].partition(';')[0]}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    seen = [
        conversation(collector, head + b"%x\r\n" % len(form) + form + b"\r\n0\r\n" + trailer + b"\r\n")[9:12]
        for trailer in (b"X-Forwarded-For: 198.51.100.%d\r\n" % n for n in range(7))
    ]
    assert seen == [b"403"] * 5 + [b"429"] * 2

"""One batch over HTTP, and what is made of each answer."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, formatdate
from http.client import BadStatusLine, RemoteDisconnected

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st

from agent.config.access import Access
from agent.delivery.backoff import LONGEST_WAIT
from agent.delivery.failures import check_route, failure_text
from agent.delivery.rejected import NO_CODE, rejected_in
from agent.delivery.route import Route, Unpassable
from agent.delivery.transport import (
    LONGEST_ANSWER,
    WEB_PAGE,
    BatchOutcome,
    Delivered,
    Rejected,
    RetryLater,
    Transport,
    judge,
)
from tests.receiver import Peer, Receiver, Request
from tests.wait import PATIENCE

NOW = 1_800_000_000.0
ENDPOINT = "http://collector.example"
URL = f"{ENDPOINT}/v1/batch"
KEY = "k3y"


def send(events: list[str] | None = None, seconds: float = PATIENCE) -> BatchOutcome:
    sender = Transport(ENDPOINT, Access(KEY), now=lambda: NOW)
    try:
        return sender.send(events or ['{"event":"A"}'], seconds)
    finally:
        sender.close()


@responses.activate
def test_a_batch_is_one_post_with_the_key_and_the_time_of_the_try() -> None:
    responses.post(URL, status=200, body="{}")

    assert send(['{"event": "A"}', '{"event":"B"}']) == Delivered()

    request = responses.calls[0].request
    assert request.body == (b'{"batch":[{"event": "A"},{"event":"B"}],"sentAt":"2027-01-15T08:00:00.000Z"}')
    assert base64.b64decode(request.headers["Authorization"].split()[1]) == b"k3y:"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("rollcall/")


@responses.activate
@pytest.mark.parametrize("status", range(200, 300))
def test_every_2xx_is_delivered(status: int) -> None:
    responses.post(URL, status=status, body="<html>" * 2000)

    assert send() == Delivered()


PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"
HTML = "Text/HTML; charset=utf-8"


@responses.activate
@pytest.mark.parametrize("body", [PAGE, f"\ufeff\r\n {PAGE}", PAGE + "x" * LONGEST_ANSWER], ids=range(3))
def test_a_web_page_takes_nothing(body: str) -> None:
    responses.post(URL, status=200, body=body, content_type=HTML)

    outcome = send()
    assert isinstance(outcome, RetryLater)
    assert (outcome.after, outcome.answered) == (None, True)
    assert outcome.why == f"200 OK: {WEB_PAGE}"


@responses.activate
@pytest.mark.parametrize("body", ["", "ok", "{}", '{"rejected": 1}'])
def test_an_api_that_calls_its_words_html_is_heard(body: str) -> None:
    """Flask and PHP say so unless they are told otherwise."""
    responses.post(URL, status=200, body=body, content_type=HTML)
    responses.post(URL, status=200, json={"rejected": [{"index": 0, "code": "x"}]}, content_type=HTML)
    responses.post(URL, status=400, body=body, content_type=HTML)

    assert [send(), send(), send()] == [Delivered(), Delivered({0: "x"}), judge(400, None, NOW)]


@responses.activate
@pytest.mark.parametrize("status", [400, 401, 404, 413, 422, 429, 503])
def test_a_web_page_of_another_status_is_that_status(status: int) -> None:
    responses.post(URL, status=status, body=PAGE, content_type=HTML, headers={"Retry-After": "60"})

    assert send() == judge(status, "60", NOW)


def test_a_web_page_without_an_end_is_one() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4000\r\n\r\n<html>"
    over = threading.Event()

    def trickle(peer: Peer, _: Request) -> bool:
        peer.socket.sendall(head)
        return not over.wait(PATIENCE)

    with Receiver(then=trickle) as receiver:
        sender = Transport(receiver.endpoint, Access(KEY), now=lambda: NOW)
        outcome = sender.send(["{}"], 1.0)
        over.set()
    assert isinstance(outcome, RetryLater)


def said(body: str) -> BatchOutcome:
    """What becomes of a batch of three after a 200 with this body."""
    with responses.RequestsMock() as mock:
        mock.post(URL, status=200, body=body, content_type="application/json; charset=utf-8")
        return send(['{"event":"A"}', '{"event":"B"}', '{"event":"C"}'])


def test_rejects_in_a_200_are_told_apart() -> None:
    listed = [{"index": 0, "code": "no_event", "message": "m"}, {"index": 2, "code": "too_deep"}]
    assert said(json.dumps({"success": True, "rejected": listed})) == Delivered(
        {0: "no_event", 2: "too_deep"}
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{" * 60_000,
        "[" * 60_000,
        '{"rejected": 1}',
        '{"rejected": {"index": 0}}',
        '{"rejected": [0, null, [], "0"]}',
        '{"rejected": [{"index": -1}, {"index": 3}, {"index": true}, {"index": "0"}, {"index": 0.0}, {}]}',
        '{"rejected": [{"index": ' + "9" * 60_000 + "}]}",
        '{"rejected": [{"index": 0}], "pad": "' + "x" * LONGEST_ANSWER + '"}',
    ],
    ids=range(11),
)
def test_junk_in_a_200_says_nothing(body: str) -> None:
    assert said(body) == Delivered()


@pytest.mark.parametrize("code", [None, 7, "", "x" * 41, "a b", "\x1b[31m", "ada@example.org"])
def test_only_a_short_code_is_taken_from_an_answer(code: object) -> None:
    assert said(json.dumps({"rejected": [{"index": 1, "code": code}]})) == Delivered({1: NO_CODE})


@given(st.binary(max_size=200), st.integers(0, 5))
def test_no_body_is_too_odd(body: bytes, count: int) -> None:
    assert set(rejected_in(body, count)) <= set(range(count))


def test_only_a_2xx_lists_rejects() -> None:
    with responses.RequestsMock() as mock:
        mock.post(URL, status=400, json={"rejected": [{"index": 0, "code": "no_event"}]})
        assert send() == judge(400, None, NOW)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_that_offends_is_rejected(status: int) -> None:
    outcome = judge(status, "60", NOW)

    assert isinstance(outcome, Rejected)
    assert outcome.why.startswith(str(status))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507, 599, 600, 999])
def test_what_passes_is_tried_later_when_it_was_asked_for(status: int) -> None:
    assert judge(status, "60", NOW) == RetryLater(60, judge_words(status), answered=True)
    assert judge(status, None, NOW) == RetryLater(None, judge_words(status), answered=True)


def judge_words(status: int) -> str:
    outcome = judge(status, None, NOW)
    assert isinstance(outcome, RetryLater)
    assert outcome.why.startswith(str(status))
    return outcome.why


@given(st.integers(100, 999))
def test_no_status_loses_an_event_but_those_that_are_named(status: int) -> None:
    outcome = judge(status, "60", NOW)

    assert isinstance(outcome, Delivered) == (200 <= status < 300)
    assert isinstance(outcome, Rejected) == (status in (400, 413, 422))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_called_that(status: int) -> None:
    assert "write key" in judge_words(status)


@pytest.mark.parametrize("status", [100, 301, 302, 304, 307, 308, 402, 404, 405, 410, 418, 451])
def test_what_is_not_named_keeps_all_and_points_at_the_endpoint(status: int) -> None:
    assert "ROLLCALL_ENDPOINT" in judge_words(status)
    assert judge(status, "60", NOW) == RetryLater(None, judge_words(status), answered=True), "our own backoff"


@responses.activate
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    responses.post(URL, status=status, headers={"Location": "http://elsewhere.example/"})

    assert isinstance(send(), RetryLater)
    assert len(responses.calls) == 1


def date(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW + seconds, timezone.utc)


@pytest.mark.parametrize(
    ("given_", "seconds"),
    [
        ("1", 1),
        (" 120 ", 120),
        ("86400", 86400),
        ("86401", LONGEST_WAIT),
        ("9" * 400, LONGEST_WAIT),
        (formatdate(NOW + 90, usegmt=True), 90),
        (date(90).strftime("%A, %d-%b-%y %H:%M:%S GMT"), 90),
        (date(90).strftime("%a %b %d %H:%M:%S %Y"), 90),
        (format_datetime(date(90).astimezone(timezone(timedelta(hours=-8)))), 90),
        (formatdate(NOW + 10**8, usegmt=True), LONGEST_WAIT),
        ("0", None),
        (formatdate(NOW - 90, usegmt=True), None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("٣", None),
        ("soon", None),
        ("Fri, 31 Feb 2027 99:99:99 GMT", None),
        ("Fri, 01 Jan 99999 00:00:00 GMT", None),
    ],
)
def test_retry_after(given_: str, seconds: float | None) -> None:
    assert judge(503, given_, NOW) == RetryLater(seconds, "503 Service Unavailable", answered=True)


def test_a_date_without_a_zone_is_gmt_wherever_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        outcome = judge(503, date(90).strftime("%a %b %d %H:%M:%S %Y"), NOW)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert outcome == RetryLater(90, "503 Service Unavailable", answered=True)


@given(st.text(st.characters(codec="latin-1")))
def test_no_retry_after_is_too_odd(text: str) -> None:
    outcome = judge(429, text, NOW)

    assert isinstance(outcome, RetryLater)
    assert outcome.after is None or 0 < outcome.after <= LONGEST_WAIT


class Verification(ssl.SSLCertVerificationError):
    verify_message = "self-signed certificate"


def chained(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


ROUTE = "check ROLLCALL_ENDPOINT, or set ROLLCALL_PROXY if this network needs a proxy"
BY_PROXY = "check HTTPS_PROXY, which names the proxy"
TRUST = "if you trust its issuer, name the issuer's certificate in ROLLCALL_CA_FILE"
SCHEME = "check whether ROLLCALL_ENDPOINT is https"
FAILURES: list[tuple[Exception, str, str]] = [
    (
        chained(requests.ConnectionError("http://secret"), socket.gaierror(-2, "no such name")),
        "the endpoint: its name could not be resolved",
        ROUTE,
    ),
    (
        chained(requests.exceptions.ProxyError("secret"), socket.gaierror(-2, "no such name")),
        "the proxy: its name could not be resolved",
        BY_PROXY,
    ),
    (
        chained(requests.exceptions.SSLError("secret"), Verification(1, "secret")),
        "the endpoint: its certificate is not trusted (self-signed certificate)",
        TRUST,
    ),
    (
        chained(requests.exceptions.SSLError("secret"), ssl.SSLError(1, "secret")),
        "the endpoint: the TLS handshake failed (None)",
        SCHEME,
    ),
    (requests.ConnectionError(ConnectionRefusedError(111, "x")), "the endpoint: Connection refused", ROUTE),
    (OSError(101, "secret"), "the endpoint: Network is unreachable", ROUTE),
    (requests.ReadTimeout("secret"), "the endpoint: no answer in time", ROUTE),
    (
        requests.ConnectionError(RemoteDisconnected("secret")),
        "the endpoint: the connection was closed without an answer",
        ROUTE,
    ),
    (requests.ConnectionError(BadStatusLine("secret")), "the endpoint: the answer is not HTTP", ROUTE),
    (
        requests.exceptions.ProxyError("secret"),
        "the proxy: the connection failed (ProxyError)",
        BY_PROXY,
    ),
    (requests.exceptions.InvalidURL("secret"), "the endpoint: the connection failed (InvalidURL)", ROUTE),
    (UnicodeError("secret"), "the endpoint: the connection failed (UnicodeError)", ROUTE),
    (
        requests.exceptions.ProxyError("http://secret", OSError("Tunnel connection failed: 407 secret")),
        "the proxy: 407",
        "it wants a user and a password: put them into the URL in HTTPS_PROXY",
    ),
    (
        requests.exceptions.ProxyError("http://secret", OSError("Tunnel connection failed: 403 secret")),
        "the proxy: 403",
        "it does not let this through: check HTTPS_PROXY and ROLLCALL_ENDPOINT",
    ),
    (Unpassable("set something else"), "set something else", ""),
]


@pytest.mark.parametrize(("failure", "said", "hint"), FAILURES, ids=[said for _, said, _ in FAILURES])
def test_a_failure_is_told_by_its_kind_and_never_by_its_text(
    failure: Exception, said: str, hint: str
) -> None:
    route = Route("http://secret:3128", "HTTPS_PROXY") if "proxy:" in said else Route()

    assert failure_text(failure, route) == "; ".join(filter(None, [said, hint]))


def test_behind_a_proxy_that_one_is_named() -> None:
    assert check_route(Route("http://secret:3128", "ROLLCALL_PROXY")) == (
        "check ROLLCALL_PROXY, which names the proxy"
    )


@responses.activate
def test_a_failure_of_the_network_is_tried_later() -> None:
    responses.post(URL, body=requests.ConnectionError(ConnectionRefusedError(111, "x")))

    assert send() == RetryLater(None, f"the endpoint: Connection refused; {ROUTE}")


def test_a_circle_of_causes_has_an_end() -> None:
    first, second = requests.ConnectionError(), ValueError()
    first.__cause__, second.__context__ = second, first

    assert "connection failed" in failure_text(first, Route())


def hanging(until_over: Callable[[], object]) -> Callable[[object], tuple[int, dict[str, str], str]]:
    def callback(_: object) -> tuple[int, dict[str, str], str]:
        until_over()
        return 200, {}, ""

    return callback


@responses.activate
def test_what_hangs_is_left_behind() -> None:
    over, before = threading.Event(), set(threading.enumerate())
    responses.add_callback(responses.POST, URL, hanging(lambda: over.wait(PATIENCE)))
    sender = Transport(ENDPOINT, Access(KEY), now=lambda: NOW)
    try:
        assert sender.send(["{}"], 0.05) == RetryLater(None, f"no answer within 0 s; {ROUTE}")
    finally:
        over.set()
        for thread in set(threading.enumerate()) - before:
            thread.join(PATIENCE)
        sender.close()


@responses.activate
def test_nothing_else_is_retried_here() -> None:
    responses.post(URL, status=503)
    responses.post(URL, status=200)

    assert isinstance(send(), RetryLater)
    assert len(responses.calls) == 1


def test_the_body_is_json_even_if_an_event_holds_anything() -> None:
    with responses.RequestsMock() as mock:
        mock.post(URL, status=200)
        event = json.dumps({"event": '"],"sentAt":"\u2028é'})
        send([event])
        body = json.loads(mock.calls[0].request.body or b"")

    assert body["batch"] == [json.loads(event)]

"""What is asked of a server, to the byte; and every answer that is not the feed."""

import pytest

from agent.config.access import Access
from agent.updates import fetch
from agent.updates.fetch import NotFetched, fetch_feed, tag_of
from tests.receiver import Deed, Receiver, answer, close, drip_body, hang, say

FEED, SIGNATURE = b'{"a": 1}', b"signature"
EMPTY = Access()


def scripted(*script: Deed) -> Receiver:
    return Receiver(script=script, then=answer(500))


def test_the_question_is_the_same_for_everybody() -> None:
    with scripted(answer(200, body=FEED), answer(200, body=SIGNATURE), answer(304, body=b"")) as server:
        url = f"{server.endpoint}/releases/acme.json"
        assert fetch_feed(url, Access(key="secret"), None) == (FEED, SIGNATURE)
        assert fetch_feed(url, EMPTY, FEED) is None
    lines = [request.line for request in server.requests]
    assert lines == [
        "GET /releases/acme.json HTTP/1.1",
        "GET /releases/acme.json.minisig HTTP/1.1",
        "GET /releases/acme.json HTTP/1.1",
    ]
    plain = {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "rollcall",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
    }
    asked = [request.headers for request in server.requests]
    assert asked == [plain, plain, {**plain, "if-none-match": tag_of(FEED)}]


def test_a_server_that_knows_no_tag_of_ours_is_asked_for_no_signature() -> None:
    with scripted(answer(200, {"ETag": '"tracks-you"', "Set-Cookie": "id=1"}, FEED)) as server:
        assert fetch_feed(server.endpoint, EMPTY, FEED) is None
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        (answer(302, {"Location": "http://127.0.0.1:9/"}), "302: .* redirects are not followed"),
        (answer(404), "404: check ROLLCALL_UPDATES_URL"),
        (answer(500), "500: check"),
        (answer(200, {"Content-Length": "100000000"}, b"x" * 300_000), "larger than 256 KiB"),
        (close, "the server: the connection was closed"),
        (say(b"nonsense\r\n\r\n"), "the server: the answer is not HTTP"),
    ],
)
def test_what_is_no_answer_is_said(deed: Deed, why: str) -> None:
    with scripted(deed) as server, pytest.raises(NotFetched, match=why):
        fetch_feed(server.endpoint, EMPTY, FEED)


@pytest.mark.parametrize("deed", [hang, drip_body])
def test_a_server_that_takes_its_time_is_left(deed: Deed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SECONDS", 0.3)
    with scripted(deed) as server, pytest.raises(NotFetched, match="no answer"):
        fetch_feed(server.endpoint, EMPTY, None)


def test_nobody_there_is_said() -> None:
    with Receiver() as gone:
        url = gone.endpoint
    with pytest.raises(NotFetched, match="the server: Connection refused; check ROLLCALL_UPDATES_URL"):
        fetch_feed(url, EMPTY, None)

"""Delivery through everything a network does: real sockets on loopback, real processes.

Each way to fail ends within its budget, loses nothing, and is tried again when it should be.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from agent.delivery.backoff import FIRST_BACKOFF
from agent.delivery.transport import ATTEMPT_SECONDS
from tests import receiver as kit
from tests.deadends import BlackHole, Mute, unused_port
from tests.instance import Instance, watched
from tests.receiver import Receiver, answer
from tests.wait import PATIENCE

BUDGET = 3.0
LONGER = FIRST_BACKOFF / 2 - 1  # where an answer comes, and still too short for a second try
SLACK = 10.0  # start-up and end of a process, on a machine with other things to do
MANY = 100


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    yield from watched(tmp_path)


FAULTS: dict[str, tuple[Callable[[], Receiver | BlackHole | Mute], str]] = {
    "black hole": (BlackHole, "no answer"),
    "accepts and never reads": (Mute, "no answer"),
    "takes the batch and never answers": (lambda: Receiver(then=kit.hang), "no answer"),
    "closes without an answer": (lambda: Receiver(then=kit.close), "closed without an answer"),
    "resets mid-body": (lambda: Receiver(reset_after=2000), "reset by peer"),
    "resets after the batch": (lambda: Receiver(then=kit.reset), "reset by peer"),
    "drips its head": (lambda: Receiver(then=kit.drip_head), "no answer"),
    "speaks no HTTP": (lambda: Receiver(then=kit.say(b"220 mail.example ESMTP\r\n")), "not HTTP"),
    "answers 500": (lambda: Receiver(then=answer(500)), "500 Internal Server Error"),
    "answers 503": (lambda: Receiver(then=answer(503)), "503 Service Unavailable"),
    "answers 408": (lambda: Receiver(then=answer(408)), "408 Request Timeout"),
    "answers 425": (lambda: Receiver(then=answer(425)), "425"),
    "answers 429": (lambda: Receiver(then=answer(429)), "429 Too Many Requests"),
    "answers 401": (lambda: Receiver(then=answer(401)), "401 Unauthorized: check the write key"),
    "answers 403": (lambda: Receiver(then=answer(403)), "403 Forbidden: check the write key"),
    "answers 404": (lambda: Receiver(then=answer(404)), "404 Not Found: check ROLLCALL_ENDPOINT"),
    "answers 302": (lambda: Receiver(then=answer(302, {"Location": "/"})), "redirects are not followed"),
    "answers 799": (lambda: Receiver(then=answer(799)), "799"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_endpoint_ends_in_time_loses_nothing_and_is_tried_again(
    fault: str, instance: Instance
) -> None:
    network, said = FAULTS[fault]
    with network() as there:
        instance.endpoint = there.endpoint
        made = instance.record(MANY)
        budget = BUDGET if said == "no answer" else LONGER
        ended = instance.run("flush", "--report", "--budget", f"{budget:.0f}s")

        assert ended.seconds < budget + SLACK
        assert ended.code == 1
        assert instance.waiting() == made
        trouble = instance.trouble()
        assert trouble is not None
        assert trouble.failures == 1
        assert said in trouble.error
        assert -SLACK < instance.next_try() <= FIRST_BACKOFF
        what = "does not accept events" if trouble.error[:3].isdigit() else "cannot be reached"
        assert ended.err == f"rollcall: {instance.endpoint} {what}: {trouble.error}; events are waiting\n"
        report = json.loads(ended.out)
        assert 0 <= report["retryIn"] <= FIRST_BACKOFF
        assert report["waiting"] == MANY


def test_status_says_what_came_back_and_since_when(instance: Instance) -> None:
    with Receiver(then=answer(401)) as receiver:
        instance.endpoint = receiver.endpoint
        instance.record(1)
        instance.run("flush", "--report")
        status = instance.status()

    trouble = instance.trouble()
    assert trouble is not None
    assert status["lastError"] == (
        f"401 Unauthorized: check the write key (ROLLCALL_WRITE_KEY) (since {trouble.since})"
    )
    assert status["waiting"] == 1


def test_a_port_that_refuses_is_told_at_once(instance: Instance) -> None:
    instance.endpoint = f"http://127.0.0.1:{unused_port()}"
    made = instance.record(1)

    ended = instance.run("flush", "--report")

    assert ended.seconds < SLACK
    assert "Connection refused" in ended.err
    assert instance.waiting() == made
    assert -SLACK < instance.next_try() <= FIRST_BACKOFF


def test_one_try_at_a_mute_endpoint_takes_no_longer_than_one_attempt(instance: Instance) -> None:
    with Receiver(then=kit.hang) as receiver:
        instance.endpoint = receiver.endpoint
        ended = instance.run("beat")

    assert ended.code == 0
    assert ended.seconds < ATTEMPT_SECONDS + SLACK
    assert len(instance.waiting()) == 1
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("drip", [kit.drip_body, kit.drip_chunks])
def test_a_body_that_drips_does_not_undo_what_the_head_said(instance: Instance, drip: kit.Deed) -> None:
    with Receiver(then=drip) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(1)
        ended = instance.run("flush", "--budget", f"{BUDGET:.0f}s")

    assert ended.code == 0
    assert ended.seconds < BUDGET + SLACK
    assert instance.states() == dict.fromkeys(made, "sent")


TAKEN = {
    "garbage": answer(200, body=b"\x00\xff not JSON \xfe" * 100),
    "a length that is no number": answer(200, {"Content-Length": "not a number"}),
    "more than it said": answer(200, {"Content-Length": "5"}, body=b"x" * 5000),
    "no gzip": answer(200, {"Content-Encoding": "gzip"}, body=b"no gzip"),
    "broken chunks": answer(200, {"Transfer-Encoding": "chunked"}, body=b"zz\r\n"),
    "no headers": kit.say(b"HTTP/1.1 200\r\n\r\n"),
    "broken headers": kit.say(b"HTTP/1.1 204 No Content\r\n: broken\r\nno colon\r\n\r\n"),
    "a head without end": kit.say(b"HTTP/1.1 200 OK\r\nX: y"),
    "202": answer(202),
}


@pytest.mark.parametrize("said", TAKEN)
def test_any_2xx_is_sent_whatever_comes_with_it(said: str, instance: Instance) -> None:
    with Receiver(then=TAKEN[said]) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(2 * MANY)
        ended = instance.run("flush")

    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert receiver.ids == made
    assert instance.states() == dict.fromkeys(made, "sent")


@pytest.mark.parametrize("chunked", [False, True])
def test_what_a_200_lists_is_rejected_and_the_rest_sent(instance: Instance, chunked: bool) -> None:
    body = b'{"success": true, "rejected": [{"index": 1, "code": "no_event", "message": "secret words"}]}'
    headers = {"Content-Type": "application/json"}
    said = answer(200, headers, body)
    if chunked:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        said = kit.say(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    with Receiver(then=said) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(3)
        ended = instance.run("flush")

    assert ended.code == 0
    assert "one event was rejected (no_event)" in ended.err
    assert "secret" not in ended.err
    assert receiver.ids == made, "nothing was sent twice"
    assert list(instance.states().values()) == ["sent", "rejected", "sent"]


def test_retry_after_in_seconds_is_the_next_try(instance: Instance) -> None:
    with Receiver(then=answer(429, {"Retry-After": "1234"})) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(1)
        ended = instance.run("flush")

        assert ended.seconds < SLACK
        assert 1234 - SLACK < instance.next_try() <= 1234
        assert instance.run("flush").seconds < SLACK
        assert instance.run("beat").code == 0

    assert len(receiver.requests) == 1, "not before it is due, whoever asks"
    assert instance.waiting()[:1] == made


def test_retry_after_as_a_date_is_the_next_try(instance: Instance) -> None:
    due = time.time() + 4321
    with Receiver(then=answer(503, {"Retry-After": formatdate(due, usegmt=True)})) as receiver:
        instance.endpoint = receiver.endpoint
        instance.record(1)
        instance.run("flush")

    assert abs(instance.next_try() - (due - time.time())) < SLACK


def test_a_short_wait_is_spent_and_the_same_flush_tries_again(instance: Instance) -> None:
    with Receiver(script=[answer(429, {"Retry-After": "2"})]) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(3)
        ended = instance.run("flush")

    first, second = receiver.requests
    assert ended.code == 0
    assert 2 <= second.at - first.at < 2 + SLACK
    assert first.ids == second.ids == made
    assert first.batch == second.batch, "timestamp and messageId are for ever"
    assert first.sent_at < second.sent_at
    assert instance.trouble() is None


def test_a_receiver_that_asks_for_no_patience_is_not_stormed(instance: Instance) -> None:
    with Receiver(then=answer(429, {"Retry-After": "0"})) as receiver:
        instance.endpoint = receiver.endpoint
        instance.record(1)
        instance.run("flush", "--budget", f"{BUDGET:.0f}s")

    assert 1 <= len(receiver.requests) < 20


@pytest.mark.parametrize("status", [400, 413, 422])
def test_the_one_event_that_offends_is_found_and_the_rest_arrives(status: int, instance: Instance) -> None:
    deed = kit.refuse_if(lambda event: event["properties"] == {"number": 37}, status)
    with Receiver(then=deed) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(MANY)
        ended = instance.run("flush")
        again = instance.run("flush")

    assert (ended.code, again.code) == (0, 0)
    states = instance.states()
    assert states.pop(made[37]) == "rejected"
    assert set(states.values()) == {"sent"}
    taken = [one for request in receiver.requests for one in request.ids if len(request.ids) < MANY]
    assert set(taken) == set(made)
    assert len(receiver.requests) <= 2 * 7 + 1, "found by halves"
    assert ended.err.startswith(f"rollcall: one event was rejected ({status} ")


def test_too_large_for_the_receiver_is_made_smaller(instance: Instance) -> None:
    def deed(peer: kit.Peer, request: kit.Request) -> bool:
        return answer(413 if len(request.batch) > 10 else 200)(peer, request)

    with Receiver(then=deed) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(MANY)
        ended = instance.run("flush")

    assert ended.code == 0
    assert instance.states() == dict.fromkeys(made, "sent")
    accepted = [one for r in receiver.requests if len(r.ids) <= 10 for one in r.ids]
    assert accepted == made, "and in order"


def test_a_pipe_ends_as_soon_as_the_work_does(instance: Instance) -> None:
    with Receiver() as receiver:
        instance.endpoint = receiver.endpoint
        instance.record(1)
        python = f"{sys.executable} -I -m agent"
        script = f'x=$({python} beat) && [ -z "$x" ] && {python} flush 2>&1 | cat'
        began = time.monotonic()
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=instance.path / "cwd",
            env=instance.surroundings(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        assert (done.stdout, done.stderr) == (b"", b"")
        assert time.monotonic() - began < 2 * SLACK  # two verbs
        assert len(receiver.ids) == 2

"""Delivery through everything a network does: real sockets on loopback, real processes.

Each way to fail ends within its budget, loses nothing, and is tried again when it should be.
"""

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
import trustme

from agent.delivery import FIRST_BACKOFF
from agent.transport import ATTEMPT_SECONDS
from tests import receiver as kit
from tests.instance import KEY, Instance
from tests.receiver import BlackHole, Mute, Receiver, answer

BUDGET = 3.0
SLACK = 10.0  # start-up and end of a process, on a machine with other things to do
MANY = 100


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    one = Instance(tmp_path)
    yield one
    assert KEY not in one.printed
    assert "Something Used" not in one.printed
    assert "number" not in one.printed


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


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
    "answers 401": (lambda: Receiver(then=answer(401)), "401 Unauthorized: does it accept the write key"),
    "answers 403": (lambda: Receiver(then=answer(403)), "403 Forbidden: does it accept the write key"),
    "answers 404": (lambda: Receiver(then=answer(404)), "404 Not Found: is ROLLCALL_ENDPOINT right"),
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
        ended = instance.run("flush", "--report", "--budget", f"{BUDGET:.0f}s")

        assert ended.seconds < BUDGET + SLACK
        assert ended.code == 1
        assert instance.waiting() == made
        trouble = instance.trouble()
        assert trouble is not None
        assert trouble.failures == 1
        assert said in trouble.error
        assert -SLACK < instance.next_try() <= FIRST_BACKOFF
        assert ended.err == f"rollcall: {instance.endpoint} cannot be reached: {trouble.error}; events wait\n"
        report = json.loads(ended.out)
        assert 0 <= report["retryIn"] <= FIRST_BACKOFF
        assert report["waiting"] == MANY
        assert str(instance.status()["lastError"]).startswith(trouble.error)


def test_a_port_that_refuses_is_told_at_once(instance: Instance) -> None:
    instance.endpoint = f"http://127.0.0.1:{kit.unused_port()}"
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


def test_a_body_that_drips_does_not_undo_what_the_head_said(instance: Instance) -> None:
    with Receiver(then=kit.drip_body) as receiver:
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

    assert abs(instance.next_try() - (due - time.time())) < 2


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


def test_a_certificate_of_an_unknown_issuer_gets_nothing(instance: Instance, tls: ssl.SSLContext) -> None:
    with Receiver(tls=tls) as receiver:
        instance.endpoint = receiver.endpoint
        made = instance.record(1)
        ended = instance.run("flush", "--report")

    assert ended.code == 1
    assert "its certificate is not trusted" in ended.err
    assert receiver.connections > 0
    assert receiver.requests == []
    assert instance.waiting() == made


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_that_requests_users_know_is_honoured(
    variable: str, instance: Instance, tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with Receiver(tls=tls) as receiver:
        instance.endpoint = receiver.endpoint
        instance.environ = {variable: str(bundle)}
        made = instance.record(1)
        ended = instance.run("flush")

    assert (ended.code, receiver.ids) == (0, made)


def test_a_ca_bundle_that_is_not_there_is_named(instance: Instance, tls: ssl.SSLContext) -> None:
    with Receiver(tls=tls) as receiver:
        instance.endpoint = receiver.endpoint
        instance.environ = {"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}
        instance.record(1)
        ended = instance.run("flush", "--report")

    assert "the CA bundle cannot be found; is REQUESTS_CA_BUNDLE right?" in ended.err


def test_https_to_a_port_that_speaks_plain_http_is_a_failed_handshake(instance: Instance) -> None:
    with Receiver(then=kit.close) as receiver:
        instance.endpoint = receiver.endpoint.replace("http:", "https:")
        made = instance.record(1)
        ended = instance.run("flush", "--report", "--budget", f"{BUDGET:.0f}s")

    assert instance.waiting() == made
    assert "cannot be reached" in ended.err
    assert "not permitted" not in ended.err


def test_a_tls_handshake_that_hangs_ends_in_time(instance: Instance) -> None:
    with Mute() as mute:
        instance.endpoint = mute.endpoint.replace("http:", "https:")
        made = instance.record(1)
        ended = instance.run("flush", "--budget", f"{BUDGET:.0f}s")

    assert ended.seconds < BUDGET + SLACK
    assert instance.waiting() == made


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_https_is_never_downgraded(
    status: int,
    instance: Instance,
    tls: ssl.SSLContext,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with Receiver() as plain:
        moved = answer(status, {"Location": f"{plain.endpoint}/v1/batch"})
        with Receiver(tls=tls, then=moved) as receiver:
            instance.endpoint = receiver.endpoint
            instance.environ = {"REQUESTS_CA_BUNDLE": str(bundle)}
            made = instance.record(1)
            instance.run("flush", "--report")

        assert len(receiver.requests) == 1
        assert plain.connections == 0
        assert instance.waiting() == made
        instance.endpoint = plain.endpoint
        instance.record(1, first=1)
        instance.run("flush")
        assert plain.connections == 1, "the meter moves"


def test_a_proxy_is_used_and_no_proxy_spares(instance: Instance) -> None:
    with Receiver() as proxy, Receiver() as direct:
        instance.environ = {"HTTP_PROXY": proxy.endpoint, "http_proxy": proxy.endpoint}
        instance.endpoint = "http://collector.invalid"
        made = instance.record(1)
        assert instance.run("flush").code == 0
        assert proxy.requests[0].line == "POST http://collector.invalid/v1/batch HTTP/1.1"
        assert proxy.ids == made

        instance.environ["no_proxy"] = "127.0.0.1"
        instance.endpoint = direct.endpoint
        instance.record(1, first=1)
        assert instance.run("flush").code == 0
        assert (len(proxy.requests), len(direct.requests)) == (1, 1)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_hangs_ends_in_time(scheme: str, instance: Instance) -> None:
    with Receiver(then=kit.hang) as proxy:
        instance.environ = {f"{scheme}_proxy": proxy.endpoint}
        instance.endpoint = f"{scheme}://collector.invalid"
        made = instance.record(1)
        ended = instance.run("flush", "--budget", f"{BUDGET:.0f}s")

    assert ended.seconds < BUDGET + SLACK
    assert len(proxy.requests) == 1
    assert instance.waiting() == made


def test_a_proxy_that_cannot_be_reached_is_not_taken_for_the_endpoint(instance: Instance) -> None:
    instance.environ = {"http_proxy": f"http://127.0.0.1:{kit.unused_port()}"}
    instance.endpoint = "http://collector.invalid"
    instance.record(1)

    assert "the proxy: Connection refused" in instance.run("flush", "--report").err


def test_a_netrc_is_never_consulted(instance: Instance) -> None:
    netrc = instance.path / "home" / ".netrc"
    netrc.write_text("machine 127.0.0.1\nlogin somebody\npassword secret\n")
    netrc.chmod(0o600)
    with Receiver() as receiver:
        instance.endpoint = receiver.endpoint
        instance.record(1)
        instance.run("flush")
        instance.environ = {"ROLLCALL_WRITE_KEY": ""}
        instance.record(1, first=1)
        instance.run("flush")

    assert [request.key for request in receiver.requests] == [KEY, ""]


SILENT_RESOLVER = """
import socket, subprocess, sys
resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
resolver.bind(("127.0.0.1", 53))
code = subprocess.run(sys.argv[1:]).returncode
resolver.setblocking(False)
resolver.recv(512)
sys.exit(code)
"""


@pytest.mark.needs("root", "unshare")
@pytest.mark.parametrize("verb", ["flush", "beat"])
def test_a_resolver_that_never_answers_ends_in_time(verb: str, instance: Instance) -> None:
    resolv = instance.path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    inside = f'ip link set lo up && mount --bind {resolv} /etc/resolv.conf && exec "$@"'
    prefix = ("unshare", "--mount", "--net", "sh", "-c", inside, "sh")
    resolver = (sys.executable, "-I", "-c", SILENT_RESOLVER)
    instance.endpoint = "http://collector.example"
    made = instance.record(1)
    budget = ("--budget", f"{BUDGET:.0f}s") if verb == "flush" else ()

    ended = instance.run(verb, *budget, prefix=(*prefix, *resolver))

    assert ended.code == (1 if verb == "flush" else 0), ended.err
    assert "no answer within" in ended.err
    assert ended.seconds < (BUDGET if verb == "flush" else ATTEMPT_SECONDS) + SLACK
    assert instance.waiting()[:1] == made
    assert instance.next_try() <= FIRST_BACKOFF


def test_a_name_that_does_not_exist_is_said_to_be_so(instance: Instance) -> None:
    instance.endpoint = "http://collector.invalid"
    made = instance.record(1)

    ended = instance.run("flush", "--report")

    assert "its name could not be resolved" in ended.err
    assert instance.waiting() == made


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
            timeout=60,
            check=True,
        )
        assert (done.stdout, done.stderr) == (b"", b"")
        assert time.monotonic() - began < SLACK
        assert len(receiver.ids) == 2

"""Delivery by the ways that requests' users know: TLS, proxies, resolvers, credentials."""

import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from agent.delivery.backoff import FIRST_BACKOFF
from agent.delivery.transport import ATTEMPT_SECONDS
from tests import receiver as kit
from tests.deadends import Mute, unused_port
from tests.instance import KEY, Instance, watched
from tests.receiver import Receiver, answer

BUDGET = 3.0
SLACK = 10.0  # start-up and end of a process, on a machine with other things to do


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    yield from watched(tmp_path)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


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

    assert "the CA file of REQUESTS_CA_BUNDLE cannot be used (No such file or directory)" in ended.err


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
    instance.environ = {"http_proxy": f"http://127.0.0.1:{unused_port()}"}
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

"""Delivery where companies have authorities and proxies of their own."""

import base64
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from tests import environ
from tests.deadends import unused_port
from tests.instance import Instance, watched
from tests.receiver import Peer, Receiver, Request, answer, hang
from tests.wait import until

USER, PASSWORD = "operator", "pr0xy-s3cret"
CREDENTIALS = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    for one in watched(tmp_path):
        yield one
        assert PASSWORD not in one.printed


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def receiver(authority: trustme.CA) -> Iterator[Receiver]:
    with Receiver(tls=tls(authority)) as one:
        yield one


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def delivers(instance: Instance, receiver: Receiver, *, prefix: tuple[str, ...] = ()) -> bool:
    instance.endpoint = receiver.endpoint
    made = instance.record(1)
    ended = instance.run("flush", "--report", prefix=prefix)
    return (ended.code, receiver.ids) == (0, made)


# authorities


@pytest.mark.parametrize("where", ["the environment", "docker.env", "docker.env, relative"])
def test_an_authority_in_rollcall_ca_file_is_trusted(
    where: str, instance: Instance, receiver: Receiver, bundle: Path
) -> None:
    if where == "the environment":
        instance.environ = {"ROLLCALL_CA_FILE": str(bundle)}
    else:
        named = os.path.relpath(bundle, instance.env_file.parent) if "relative" in where else str(bundle)
        instance.env_file.write_text(f"ROLLCALL_CA_FILE={named}\n")
    assert delivers(instance, receiver)


def test_an_authority_in_ssl_cert_file_is_trusted(
    instance: Instance, receiver: Receiver, bundle: Path
) -> None:
    instance.environ = {"SSL_CERT_FILE": str(bundle)}
    assert delivers(instance, receiver)


@pytest.mark.needs("certificates")
def test_an_authority_in_ssl_cert_dir_is_trusted(
    instance: Instance, receiver: Receiver, bundle: Path
) -> None:
    subprocess.run(["openssl", "rehash", str(bundle.parent)], check=True, capture_output=True)
    instance.environ = {"SSL_CERT_DIR": str(bundle.parent)}
    assert delivers(instance, receiver)


UPDATED = """
cp -a /etc/ssl/certs "$0/certs" && mount --bind "$0/certs" /etc/ssl/certs &&
mount -t tmpfs none /usr/local/share/ca-certificates &&
cp "$0/ca.pem" /usr/local/share/ca-certificates/company.crt &&
update-ca-certificates >/dev/null 2>&1 && exec "$@"
"""


@pytest.mark.needs("root", "unshare", "certificates")
def test_an_authority_of_the_system_is_trusted(
    instance: Instance, receiver: Receiver, bundle: Path, tmp_path: Path
) -> None:
    assert bundle.exists()
    prefix = ("unshare", "--mount", "sh", "-c", UPDATED, str(tmp_path))
    assert delivers(instance, receiver, prefix=prefix)


def test_an_authority_that_nobody_named_is_not_trusted_and_the_error_says_how(
    instance: Instance, receiver: Receiver
) -> None:
    assert not delivers(instance, receiver)
    error = str(instance.status()["lastError"])
    assert "its certificate is not trusted" in error
    assert "name the issuer's certificate in ROLLCALL_CA_FILE" in error
    assert receiver.requests == []


NO_STORE = 'mount -t tmpfs none /etc/ssl/certs && exec "$@"'


@pytest.mark.needs("root", "unshare", "certificates")
def test_where_the_system_has_no_certificates_those_of_requests_are_trusted(instance: Instance) -> None:
    """As in a small container. The meter: how many authorities the context knows."""
    count = (
        "import requests; from agent.delivery.route import Route, open_session\n"
        "session = open_session('https://a.example', Route(), '')\n"
        "context = session.adapters['https://'].poolmanager.connection_pool_kw['ssl_context']\n"
        "print(context.cert_store_stats()['x509_ca'])"
    )
    counted = subprocess.run(
        ["unshare", "--mount", "sh", "-c", NO_STORE, "sh", *instance.command()[:2], "-c", count],
        env=environ.covered(instance.path), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(counted.stdout) > 50


@pytest.mark.parametrize(("text", "why"), [(None, "No such file"), ("no certificate", "")])
def test_a_ca_file_that_is_of_no_use_is_named(
    text: str | None, why: str, instance: Instance, receiver: Receiver, tmp_path: Path
) -> None:
    path = tmp_path / "odd.pem"
    if text is not None:
        path.write_text(text)
    instance.environ = {"ROLLCALL_CA_FILE": str(path)}
    assert not delivers(instance, receiver)
    error = str(instance.status()["lastError"])
    assert f"the CA file of ROLLCALL_CA_FILE cannot be used ({why}" in error
    assert receiver.connections == 0


# proxies


class Tunnel:
    """A proxy's answer to CONNECT: it asks for the password, and passes all on to one receiver."""

    def __init__(self, to: Receiver) -> None:
        self.to = to

    def __call__(self, peer: Peer, request: Request) -> bool:
        if request.headers.get("proxy-authorization") != CREDENTIALS:
            return answer(407)(peer, request)
        with socket.create_connection(("127.0.0.1", self.to.port)) as further:
            peer.socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pump, args=(further, peer.socket))
            back.start()
            pump(peer.socket, further)
            back.join()
        return False


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def with_password(proxy: Receiver) -> str:
    return proxy.endpoint.replace("://", f"://{USER}:{PASSWORD}@")


@pytest.mark.parametrize("place", ["ROLLCALL_PROXY", "docker.env", "file", "HTTPS_PROXY"])
@pytest.mark.parametrize("secure", [False, True])
def test_https_goes_through_a_proxy_that_wants_a_password(
    place: str, secure: bool, instance: Instance, receiver: Receiver, bundle: Path, authority: trustme.CA
) -> None:
    with Receiver(then=Tunnel(receiver), tls=tls(authority) if secure else None) as proxy:
        instance.environ = {"ROLLCALL_CA_FILE": str(bundle)}
        if place == "docker.env":
            instance.env_file.write_text(f"ROLLCALL_PROXY={with_password(proxy)}\n")
        elif place == "file":
            secret = bundle.with_name("proxy-url")
            secret.write_text(with_password(proxy) + "\n")
            secret.chmod(0o600)
            instance.env_file.write_text(f"ROLLCALL_PROXY={secret}\n")
        else:
            instance.environ[place] = with_password(proxy)
        assert delivers(instance, receiver)
        assert [request.line.split()[0] for request in proxy.requests] == ["CONNECT"]
        assert proxy.connections == 1


def test_http_goes_through_a_proxy_with_its_password(instance: Instance) -> None:
    with Receiver() as proxy:
        instance.environ = {"ROLLCALL_PROXY": with_password(proxy)}
        instance.endpoint = "http://collector.invalid"
        made = instance.record(1)
        assert instance.run("flush").code == 0
    assert proxy.ids == made
    assert proxy.requests[0].headers["proxy-authorization"] == CREDENTIALS


def test_rollcall_proxy_wins_over_the_environments(instance: Instance) -> None:
    with Receiver() as proxy, Receiver() as other:
        instance.environ = {"ROLLCALL_PROXY": proxy.endpoint, "HTTP_PROXY": other.endpoint, "NO_PROXY": "*"}
        instance.endpoint = "http://collector.invalid"
        instance.record(1)
        assert instance.run("flush").code == 0
        assert (len(proxy.requests), len(other.requests)) == (1, 0)


def test_a_proxys_password_is_in_no_processs_arguments(instance: Instance) -> None:
    with Receiver(then=hang) as proxy:
        instance.environ = {"ROLLCALL_PROXY": with_password(proxy)}
        instance.endpoint = "http://collector.invalid"
        instance.record(1)
        with instance.started("flush", "--retry", "--from", str(instance.path)) as sender:
            proxy.wait_for(1)
            seen = list(arguments_of_all())
            assert any(b"\0flush\0--retry\0" in text for text in seen)
            assert not any(PASSWORD.encode() in text for text in seen)
            sender.terminate()
            until(lambda: sender.poll() is not None)


def arguments_of_all() -> Iterator[bytes]:
    """Of every process that is still there when it is looked at."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


@pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTPS_PROXY"])
def test_a_socks_proxy_is_said_to_be_unsupported(variable: str, instance: Instance) -> None:
    instance.environ = {variable: f"socks5h://{USER}:{PASSWORD}@127.0.0.1:1"}
    instance.endpoint = "https://collector.invalid"
    instance.record(1)
    said = instance.run("flush", "--report").err
    assert f"{variable} names a SOCKS proxy, which is not supported" in said
    assert "set ROLLCALL_PROXY to an HTTP proxy" in said


def test_a_socks_proxy_as_a_setting_is_refused_with_what_is_accepted(instance: Instance) -> None:
    instance.environ = {"ROLLCALL_PROXY": f"socks5://{USER}:{PASSWORD}@127.0.0.1:1"}
    ended = instance.run("flush")
    assert (ended.code, "SOCKS is not supported" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("status", "said"), [(407, "put them into the URL in ROLLCALL_PROXY"), (403, "check ROLLCALL_PROXY")]
)
def test_a_proxy_that_refuses_a_tunnel_is_told_from_the_endpoint(
    status: int, said: str, instance: Instance
) -> None:
    with Receiver(then=answer(status)) as proxy:
        instance.environ = {"ROLLCALL_PROXY": proxy.endpoint}
        instance.endpoint = "https://collector.invalid"
        instance.record(1)
        error = instance.run("flush", "--report").err
    assert f"the proxy: {status}" in error
    assert said in error


def test_a_dead_end_names_the_setting_that_would_help(instance: Instance) -> None:
    instance.endpoint = f"http://127.0.0.1:{unused_port()}"
    instance.record(1)
    error = instance.run("flush", "--report").err
    assert "check ROLLCALL_ENDPOINT, or set ROLLCALL_PROXY if this network needs a proxy" in error

"""Who may read /metrics. A proxy of the same machine may look like a program that reads them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from collector.serve.metrics_access import may_read_metrics
from collector.settings import read_settings
from tests.collector import proxies
from tests.collector.running import Collector, Reply
from tests.wait import PATIENCE

PREFIX = "ROLLCALL_COLLECTOR_"
HERE, OTHER = "127.0.0.1", "203.0.113.7"
PUBLIC = "https://rollcall.example"
Start = Callable[..., Collector]


def reads(peer: str = HERE, host: str = "127.0.0.1:8787", *, forwarded: str = "", **told: str) -> bool:
    headers = [(b"host", host.encode())] if host else []
    if forwarded:
        headers.append((b"x-forwarded-for", forwarded.encode()))
    scope = {"http_version": "1.1", "client": (peer, 1), "headers": headers}
    environ = {PREFIX + name: value for name, value in told.items()}
    return may_read_metrics(scope, read_settings({"HOME": "/x", **environ}))


@pytest.mark.parametrize(
    "url", ["", PUBLIC, "http://127.0.0.1:8787", "http://[::1]:8787", "http://localhost"]
)
@pytest.mark.parametrize("host", ["127.0.0.1:8787", "localhost:8787", "[::1]:8787", "LOCALHOST", ""])
def test_a_program_of_this_machine_reads_them_and_another_machine_does_not(url: str, host: str) -> None:
    for peer in (HERE, "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert reads(peer, host, PUBLIC_URL=url, TRUSTED_PROXIES="127.0.0.1"), peer
    for peer in (OTHER, "2001:db8::1", ""):
        assert not reads(peer, host, PUBLIC_URL=url), peer


@pytest.mark.parametrize(
    "host", ["rollcall.example", "Rollcall.Example:443", "rollcall.example.", "rollcall.example:8787"]
)
def test_a_request_for_the_public_host_came_through_a_proxy(host: str) -> None:
    assert not reads(host=host, PUBLIC_URL=PUBLIC)
    assert not reads(host=host, PUBLIC_URL="HTTPS://ROLLCALL.EXAMPLE:8443/below")
    assert reads(host=host, PUBLIC_URL="https://telemetry.example")
    assert reads(host=host)
    assert reads(host="[broken", PUBLIC_URL=PUBLIC)


def test_an_address_that_is_named_reads_them_if_the_request_shows_no_proxy() -> None:
    for allowed in ("10.0.0.0/8,::1", HERE):
        peer = HERE if allowed == HERE else "10.1.2.3"
        told = {"METRICS_ALLOW": allowed, "TRUSTED_PROXIES": allowed, "PUBLIC_URL": PUBLIC}
        assert reads(peer, "rollcall.example", **told)
        assert not reads(peer, forwarded=OTHER, **told)
        assert not reads(OTHER, **told)
    assert not reads(METRICS_ALLOW="10.0.0.0/8")


def test_none_is_nobody_and_an_empty_setting_is_as_if_unset() -> None:
    for peer in (HERE, "::1", OTHER):
        assert not reads(peer, METRICS_ALLOW="none")
    assert reads(METRICS_ALLOW="")
    assert reads(METRICS_ALLOW=" ")


@pytest.mark.needs("nginx")
def test_nginx_that_does_not_show_itself_reads_none_once_they_are_closed(
    start: Start, tmp_path: Path
) -> None:
    """Else nothing tells it from a program of this machine."""
    for number, (told, through, directly) in enumerate(
        [({"METRICS_ALLOW": "none"}, 403, 403), ({}, 200, 200)]
    ):
        settings = {PREFIX + name: value for name, value in told.items()}
        collector = start(f"sqlite:///{tmp_path}/{number}.db", **settings)
        with proxies.proxy(proxies.bare_nginx, tmp_path / f"proxy{number}", collector.port) as port:
            assert ask(port, "/healthz").status == 200
            assert ask(port, "/metrics").status == through, told
        assert collector.get("/metrics").status == directly


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(proxies.nginx, marks=pytest.mark.needs("nginx")),
        pytest.param(proxies.caddy, marks=pytest.mark.needs("caddy")),
    ],
)
def test_a_proxy_as_in_the_docs_refuses_them_itself_and_no_spelling_gets_by(
    start: Start, tmp_path: Path, make: Callable[[Path, int, int], list[str]]
) -> None:
    settings = {f"{PREFIX}TRUSTED_PROXIES": HERE, f"{PREFIX}METRICS_ALLOW": HERE}
    collector = start(f"sqlite:///{tmp_path}/c.db", **settings)
    with proxies.proxy(make, tmp_path / "proxy", collector.port) as port:
        assert ask(port, "/healthz").status == 200
        assert ask(port, "/metrics").status == 404
        for spelling in ("/metrics/", "//metrics", "/%6detrics", "/metrics%2F", "/x/../metrics"):
            assert ask(port, spelling).status in (403, 404), spelling
    assert collector.get("/metrics").status == 200


def ask(port: int, path: str) -> Reply:
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", path)
        return Reply(connection.getresponse())

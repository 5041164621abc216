"""What a stranger does to stop the collector, and a fleet that goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collector import proxies
from tests.collector.attacks import all_attacks, attack
from tests.collector.fleet import CLIENTS, Fleet, is_served, run_fleet
from tests.collector.running import Collector

pytestmark = pytest.mark.once


def test_a_fleet_without_an_attack_is_served_and_every_refusal_counts(running: Collector) -> None:
    before = len(running.export())
    report = run_fleet(running.port, running.key, rounds=2)
    assert report.statuses == {"200": 2 * CLIENTS}
    assert report.share == 1
    assert len(running.export()) > before
    assert run_fleet(running.port, "unknown", rounds=1, origin="together").statuses == {"401": CLIENTS}


def test_a_fleet_reports_when_it_is_asked(running: Collector) -> None:
    fleet = Fleet(running.port, running.key, rounds=1_000_000, origin="forwarded")
    assert running.get("/healthz").status == 200
    assert set(fleet.report(now=True).statuses) <= {"200"}


@pytest.mark.parametrize("name", all_attacks(""))
def test_a_fleet_is_served_during_an_attack(
    start: Callable[..., Collector], tmp_path: Path, name: str
) -> None:
    """From addresses of its own, and from the attacker's, as behind a proxy that is not named."""
    collector = start(f"sqlite:///{tmp_path}/a.db")
    with attack(collector.port, collector.key, name):
        assert is_served(collector.port, collector.key)
    with attack(collector.port, collector.key, name, "together"):
        assert is_served(collector.port, collector.key, origin="together")
    assert collector.stop() == ""


def test_a_fleet_behind_a_named_proxy_is_served_during_an_attack_through_it(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    collector = start(f"sqlite:///{tmp_path}/a.db", ROLLCALL_COLLECTOR_TRUSTED_PROXIES="127.0.0.1")
    for name in ("stalled bodies without a key", "stalled bodies with a key", "small bodies without end"):
        with attack(collector.port, collector.key, name, "forwarded"):
            assert is_served(collector.port, collector.key, origin="forwarded")
    assert collector.stop() == ""


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(proxies.nginx, marks=pytest.mark.needs("nginx")),
        pytest.param(proxies.caddy, marks=pytest.mark.needs("caddy")),
    ],
)
@pytest.mark.parametrize("trusted", ["127.0.0.1", ""])
def test_a_fleet_behind_a_real_proxy_is_served_during_an_attack_through_it(
    start: Callable[..., Collector],
    tmp_path: Path,
    make: Callable[[Path, int, int], list[str]],
    trusted: str,
) -> None:
    """As the docs set it up, and also where nobody named it. nginx keeps bodies until they are whole."""
    collector = start(f"sqlite:///{tmp_path}/a.db", ROLLCALL_COLLECTOR_TRUSTED_PROXIES=trusted)
    with proxies.proxy(make, tmp_path / "proxy", collector.port) as port:
        for name in ("stalled bodies without a key", "stalled bodies with a key"):
            with attack(port, collector.key, name):
                assert is_served(port, collector.key)
    assert collector.stop() == ""

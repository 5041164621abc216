"""What a stranger does to stop the collector, and a fleet that goes on meanwhile."""

from __future__ import annotations

from tests.collector.fleet import CLIENTS, Fleet, run_fleet
from tests.collector.running import Collector


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

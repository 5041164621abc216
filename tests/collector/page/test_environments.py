"""What is not production stands apart: in every number and list of the page, and in what reads along."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from collector.alerts.digest import digest_message
from collector.base.environments import CHOICES
from collector.base.times import DAY_MS as DAY
from collector.serve.fleet import FleetMetrics
from collector.store import Stores
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import event

OUTSIDE = ("/page.css", "/icon.svg", "/account", "/admin", "/setup")
LINK = re.compile(r'href="(/[^"]*)"')
INSTALLS = {"": 3, "ci": 2, "dev": 1, "staging": 1}


def install(number: int, environment: str, end: str = "Installation Errors") -> list[dict[str, Any]]:
    """An install of an instance of its own, which beats afterwards."""
    run, who = f"{environment} {number}", {"anonymousId": f"instance {environment} {number}"}
    place = {"script": "install.sh", "line": 7, "command": "curl", "exitCode": 6}
    told = [event("Installation Started", 3 * DAY, run), event(end, 3 * DAY - 1, run, **place)]
    for one in told:
        one["context"]["installation"] |= {"environment": environment} if environment else {}
    return [{**one, **who} for one in [*told, event("Instance Active", DAY + 1), event("Instance Active")]]


@pytest.fixture
def page(client: PageClient, send: Callable[..., None]) -> PageClient:
    for environment, count in INSTALLS.items():
        send(*(one for number in range(count) for one in install(number, environment)))
    return client


def counted(page: PageClient, env: str) -> dict[str, int]:
    """The same number, as many views have it."""
    at = f"?env={env}" if env else "?"
    names = ("overview", "installs", "instances", "stuck", "steps", "adoption")
    views = {name: page.get(f"/{name}.json{at}").json() for name in names}
    assert {view["environment"] for view in views.values()} == {env or "production"}
    failure = page.get(f"/failure.json{at}&script=install.sh&line=7&command=curl&end=6").json()
    tables = {name: view["tables"] for name, view in views.items()}
    return {
        "active": views["overview"]["active"]["7d"]["established"],
        "active yesterday": tables["overview"]["active"][-2]["active_24h"],
        "failed": views["overview"]["installs"]["failed"],
        "by version": sum(row["failed"] for row in tables["installs"]["versions"]),
        "by place": sum(row["runs"] for row in tables["installs"]["failures"]),
        "runs": len(tables["installs"]["runs"]),
        "runs as CSV": page.get(f"/installs.csv{at}&table=runs").text.count("\n") - 1,
        "new": views["instances"]["new"],
        "instances": len(tables["instances"]["instances"]),
        "stuck": views["stuck"]["stuck_at_least"],
        "steps": sum(row["runs"] for row in tables["steps"]["steps"]),
        "adopted": tables["adoption"]["words"][0]["instances"],
        "failed here": failure["runs"],
    }


@pytest.mark.parametrize(
    ("env", "count"), [("", 3), ("production", 3), ("all", 7), ("ci", 2), ("dev", 1), ("internal", 1)]
)
def test_each_view_counts_the_environment_that_is_chosen(page: PageClient, env: str, count: int) -> None:
    numbers = counted(page, env)
    assert numbers == dict.fromkeys(numbers, count)


def test_an_environment_that_does_not_exist_is_refused(page: PageClient) -> None:
    reply = page.get("/installs.json?env=staging")
    assert reply.status == 400
    assert all(name in reply.text for name in CHOICES)


def test_every_link_of_a_view_keeps_the_environment(page: PageClient) -> None:
    """But that to production, and the one that begins anew."""
    for path in ("/overview", "/installs", "/instances", "/stuck", "/events"):
        chosen, plain = (page.get(address).text for address in (f"{path}?env=ci", path))
        links = [link for link in LINK.findall(chosen) if not link.startswith(OUTSIDE)]
        assert {link for link in links if "env=ci" not in link} == {
            "/",
            path,
            *(f"{path}?env={name}" for name in CHOICES if name not in ("production", "ci")),
        }
        assert sum("env=" in link for link in LINK.findall(plain)) == len(CHOICES) - 1


def test_a_release_that_another_environment_has_is_no_dead_link(
    page: PageClient, send: Callable[..., None]
) -> None:
    only = event("Installation Success", 2 * DAY, "one")
    only["context"]["app"]["version"] = "9.9"
    send(only)
    assert 'href="/since?version=9.9&amp;env=ci"' in page.get("/since?version=9.9").text
    other = page.get("/since?version=9.9&env=ci")
    assert (other.status, "No install of 9.9 had reported" in other.text) == (200, True)
    assert page.get("/since?version=9.8&env=ci").status == 404


def test_metrics_and_alerts_count_production(page: PageClient, page_stores: Stores) -> None:
    figures = FleetMetrics(page_stores, now=lambda: NOW / 1000)
    text = asyncio.run(figures.exposition()).decode()
    assert 'rollcall_active_instances{days="7",source="product"} 3.0' in text
    assert "product: 3 active instances" in digest_message(page_stores, NOW).body


def test_who_asks_for_help_is_seen_wherever_it_was(page: PageClient, send: Callable[..., None]) -> None:
    asked = event("Installation Support", DAY, "ci 0", email="ada@example.org")
    asked["context"]["installation"]["environment"] = "ci"
    send(asked)
    assert len(page.get("/support.json").json()["tables"]["requests"]) == 1


def test_what_names_no_environment_says_that_it_is_of_all(
    page: PageClient, send: Callable[..., None]
) -> None:
    send(event("Backup Made"), event("Installation Support", 2 * DAY, "ci 0", email="ada@example.org"))
    for env in ("", "ci"):
        text = page.get(f"/?env={env}").text
        assert "1 open request for help with an install, in all environments." in text
        assert "They are of all environments" in text
    assert "all environments" not in page.get("/?env=all").text

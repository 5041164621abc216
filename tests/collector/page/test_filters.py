"""Lists that are read piece by piece show what was asked for, on the page and whole."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable

import pytest

from collector.base.times import DAY_MS
from tests.collector.page.client import PageClient
from tests.collector.page.stories import event


@pytest.fixture
def page(client: PageClient, send: Callable[..., None]) -> PageClient:
    """Sixty instances of each of two versions, and three people who ask for help."""
    for number in range(120):
        install = event("Installation Success", 3 * DAY_MS, f"run {number}")
        install["context"]["app"]["version"] = ("1.0", "2.0")[number % 2]
        install["context"]["os"]["name"] = ("debian", "alpine")[number % 3 == 0]
        beat = event("Instance Active", number * 60_000)
        send(*({**one, "anonymousId": f"instance {number}"} for one in (install, beat)))
    for number in range(3):
        send(
            event("Installation Support", DAY_MS + number, f"run {number}", email=f"ada{number}@example.org")
        )
    return client


def test_instances_are_listed_by_version_and_system(page: PageClient) -> None:
    for query, count in (("version=2.0", 60), ("system=alpine+12", 40), ("version=2.0&system=alpine+12", 20)):
        rows = page.get(f"/instances.json?{query}").json()["tables"]["instances"]
        assert len(rows) == count
        assert page.get(f"/instances.csv?{query}&table=instances").text.count("\n") == count + 1
        assert {f"version={one['version']}" for one in rows} >= {query.partition("&")[0]} or "system" in query
    first = page.get("/instances?version=2.0")
    assert first.text.count('href="/instance/') == 50
    (more,) = re.findall(r'href="([^"]*before=[^"#]*)', first.text)
    assert page.get(html.unescape(more)).text.count('href="/instance/') == 10


NUMBER = re.compile(r'href="(/(?:instances|failure|installs)[?][^"#]*)#(?:list|runs|latest)">([0-9,]+)<')


def test_numbers_in_tables_lead_to_as_many_rows(page: PageClient, send: Callable[..., None]) -> None:
    for number in range(7):  # five at one step, two of them of one instance; two at another, whose line moved
        end = {"script": "install.sh", "line": 7 if number < 5 else 80 + number, "exitCode": 1}
        failed = event("Installation Errors", DAY_MS + number, f"failed {number}", **end)
        failed["context"]["app"]["version"] = f"{number % 2}.0"
        send({**failed, "anonymousId": f"instance {max(number, 1)}"})
    gone = [event("Installation Success", 42 * DAY_MS, "gone"), event("Instance Active", 40 * DAY_MS)]
    gone[0]["context"]["app"]["version"] = "1.0"
    send(*({**one, "anonymousId": "gone"} for one in gone))
    counted = Counter[tuple[str, str]]()
    for view in ("/instances", "/steps", "/installs"):
        for link, number in NUMBER.findall(page.get(view).text):
            path, _, query = html.unescape(link).partition("?")
            table = "instances" if path == "/instances" else "runs"
            rows = page.get(f"{path}.csv?{query}&table={table}").text.splitlines()[1:]
            who = {row.split(",")[10 if table == "runs" else 0] for row in rows}
            assert int(number) in (len(rows), len(who)), (view, link)
            counted[view, path] += 1
    assert counted["/instances", "/instances"] == 7  # 3 versions, 2 systems, and who is new in 2 weeks
    assert counted["/steps", "/failure"] == 4  # one of the two steps has moved
    assert counted["/installs", "/failure"] == 6


def test_requests_for_help_are_listed_by_whether_somebody_answered(page: PageClient) -> None:
    def listed(show: str) -> list[str]:
        rows = page.get(f"/support.json?show={show}").json()["tables"]["requests"]
        assert page.get(f"/support.csv?show={show}").text.count("\n") == len(rows) + 1
        assert page.get(f"/support?show={show}").text.count("@example.org") == len(rows)
        return [str(row["email"]).split("@")[0] for row in rows]

    assert listed("all") == listed("waiting") == ["ada2", "ada1", "ada0"]
    run = page.get("/support.json").json()["tables"]["requests"][0]["run"]
    fields = {"token": page.get("/support").token, "run": run, "answered": "yes"}
    assert page.post("/support", fields).status == 303
    assert listed("all") == ["ada1", "ada0", "ada2"]
    assert (listed("waiting"), listed("answered")) == (["ada1", "ada0"], ["ada2"])
    assert page.get("/support?show=new").status == 400

"""Versions and systems of any spelling: each has its number and its list, for people and programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.base.times import DAY_MS
from collector.page.period import iso
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import HOUR, event

Send = Callable[..., None]


def living(number: int, **told: str) -> list[dict[str, Any]]:
    """An instance that was installed three days ago with this system or version, and is alive."""
    run = f"run {number}"
    events = [
        event("Installation Started", 72 * HOUR, run),
        event("Installation Success", 71 * HOUR, run),
        event("Instance Active", 72 * HOUR),
        event("Instance Active", HOUR),
    ]
    for one in events:
        one["anonymousId"] = run
        if one["context"]:
            one["context"]["os"] = {"name": told.get("system", "debian")}
            one["context"]["app"]["version"] = told.get("version", "1.2")
    return events


def test_a_word_that_is_told_like_another_column_has_its_own(client: PageClient, send: Send) -> None:
    words = ("json", "day", "", "unknown", "all others")
    for number, word in enumerate(words):
        for again in range(5 - number):
            send(*living(10 * number + again, system=word))
    shown = client.get("/adoption.json?by=system").json()["tables"]["over_time"][-1]
    assert shown == {
        "day": iso(NOW // DAY_MS),
        "json": 5,
        "`day`": 4,
        "unknown": 3,
        "`unknown`": 2,
        "all others": 1,
    }
    head = client.get("/adoption.csv?by=system&table=over_time").text.partition("\r\n")[0]
    assert head == '"day","json","`day`","unknown","`unknown`","all others"'


def test_a_version_that_is_named_unknown_leads_to_its_instances_and_runs(
    client: PageClient, send: Send
) -> None:
    """As a script says it that cannot tell its version; an event without a version is told so too."""
    send(*living(1, version="unknown", system="unknown"), *living(2))
    for view, table, state in (("instances", "instances", "active"), ("installs", "runs", "succeeded")):
        for column in ("version", "system"):
            shown = client.get(f"/{view}.json?state={state}&{column}=unknown").json()["tables"][table]
            assert [row["version"] for row in shown] == ["unknown"]


def test_spaces_around_a_version_or_a_system_do_not_count(client: PageClient, send: Send) -> None:
    started = event("Installation Started")
    started["context"] |= {"app": {"version": " 2.0\n"}, "os": {"name": "debian\t", "version": "\u00a0"}}
    send(started)
    for table, column, word in (("versions", "version", "2.0"), ("systems", "os", "debian")):
        (row,) = client.get("/installs.json").json()["tables"][table]
        assert (row[column], row["running"], row["given_up"]) == (word, 1, 0)
    assert client.get("/installs.json?version=2.0&system=debian").json()["tables"]["runs"]


def test_spaces_around_the_version_of_an_upgrade_do_not_count_either(client: PageClient, send: Send) -> None:
    upgraded = event("Instance Upgraded", 24 * HOUR, **{"from": "1.2", "to": " 2.0\n"})
    send(*living(1), {**upgraded, "anonymousId": "run 1"}, *living(2, version="2.0"))
    words = client.get("/adoption.json").json()["tables"]["words"]
    assert [(row["version"], row["instances"]) for row in words] == [("2.0", 2)]

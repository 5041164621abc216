"""The page shows the published feed, and how its releases do in the fleet."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from collector.base.background import start_jobs, stop_jobs
from collector.base.times import DAY_MS, read_time, write_time
from collector.page.queries import history
from collector.releases.minisign import parse_key
from collector.releases.published import publish_feed, trust_key
from collector.store import Stores
from collector.store.history import FleetHistory
from collector.store.sql.history import HistoryQuestions as SqlHistory
from tests.agent.updates.signing import FEED, Vendor, feed
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import HOUR, event

VENDOR = Vendor()
PRODUCTION = 20 * DAY_MS


def publish(stores: Stores, data: bytes, source: str = "product") -> None:
    trust_key(stores.control, source, parse_key(VENDOR.public), NOW)
    publish_feed(stores.control, source, data, VENDOR.sign(data), NOW)


def install(number: int, version: str, outcome: str) -> list[dict[str, Any]]:
    """An install twenty days ago, and heartbeats of its instance since then."""
    run = f"33333333-3333-4333-8333-{number:012}"
    end = {"reason": "exit", "exitCode": 1} if outcome == "Errors" else {}
    story = [
        event("Installation Started", PRODUCTION, run),
        event(f"Installation {outcome}", PRODUCTION - HOUR, run, durationSeconds=1.0, **end),
    ]
    story += [event("Instance Active", days * DAY_MS + HOUR) for days in (19, 10, 1) if outcome == "Success"]
    for one in story:
        one["anonymousId"] = f"44444444-4444-4444-8444-{number:012}"
        if "app" in one["context"]:
            one["context"]["app"]["version"] = version
        if one["event"] == "Instance Active":
            one["properties"] = {"instanceId": one["anonymousId"]}
    return story


def test_each_release_has_its_adoption_and_success_rate_beside_it(
    page_stores: Stores, client: PageClient, send: Callable[..., None]
) -> None:
    installs = [("2.4.1", "Success"), ("v2.4.1", "Success"), ("2.4.1", "Errors"), ("1.0", "Success")]
    for number, (version, outcome) in enumerate(installs):
        send(*install(number, version, outcome))
    publish(page_stores, feed())
    told = client.get("/releases.json?period=month").json()
    assert (told["product"], told["sequence"], told["expires"]) == ("Shop", 7, FEED["expires"])
    assert (told["key_id"], told["published"]) == (parse_key(VENDOR.public).name, write_time(NOW))
    rows = told["tables"]["releases"]
    assert [row["version"] for row in rows] == ["2.4.1", "2.0.0"]
    latest, before = rows
    assert (latest["instances"], latest["share"]) == (2, round(2 / 3, 4))
    assert (latest["started"], latest["failed"], latest["success_rate"]) == (3, 1, round(2 / 3, 4))
    assert (before["instances"], before["started"], before["success_rate"]) == (0, 0, None)
    assert [one["id"] for one in told["tables"]["advisories"]] == ["SHOP-2026-1"]
    shown = client.get("/releases?period=month").text
    assert parse_key(VENDOR.public).name in shown
    assert "Anybody can sign in." in shown
    assert "publish again" not in shown
    spelled = re.findall(r'href="(/installs[?][^"#]*)#latest">(v?2.4.1)<', shown)
    assert [word for _, word in spelled] == [
        "2.4.1",
        "v2.4.1",
    ] * 2  # of those that started, and of those that failed
    assert client.get("/releases.csv").text.startswith('"version","date","rollout","instances",')


def test_two_builds_of_a_version_that_the_feed_has_are_counted_apart(
    page_stores: Stores, client: PageClient, send: Callable[..., None]
) -> None:
    for number, version in enumerate(("1.0+k1", "v1.0+k2", "1.0.0+k2")):
        send(*install(number, version, "Success"))

    def rows(sequence: int, *versions: str) -> dict[str, tuple[int, float, int]]:
        releases = [{"version": version, "date": ""} for version in versions]
        publish(page_stores, feed(sequence=sequence, releases=releases))
        told = client.get("/releases.json?period=month").json()["tables"]["releases"]
        return {row["version"]: (row["instances"], row["share"], row["started"]) for row in told}

    assert rows(1, "v1.0+k1", "v1.0+k2") == {"v1.0+k1": (1, 0.3333, 1), "v1.0+k2": (2, 0.6667, 2)}
    assert rows(2, "v1.0") == {"v1.0": (3, 1.0, 3)}


def test_no_view_of_the_releases_waits_for_the_history_of_a_large_fleet(
    page_stores: Stores, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "WAITED_FOR", 0)
    monkeypatch.setattr(history, "PAUSE_SECONDS", 3600.0)  # the background has not begun yet
    asked, ask = list[int](), SqlHistory.fleet_history

    def told(part: SqlHistory, source: int) -> FleetHistory:
        asked.append(source)
        return ask(part, source)

    monkeypatch.setattr(SqlHistory, "fleet_history", told)
    send(*install(1, "2.4.1", "Success"))
    client = PageClient(page_stores)
    assert client.get("/releases.json").json()["counted"]  # without a feed, there is nothing to count
    publish(page_stores, feed())
    start_jobs(client.page.jobs)
    try:
        shown = client.get("/releases.json").json()
        assert (shown["counted"], shown["tables"]["releases"][0]["instances"]) == (False, None)
        assert "The instances are being counted" in client.get("/releases").text
    finally:
        stop_jobs(client.page.jobs)
    assert asked == []
    assert client.get("/releases.json").json()["tables"]["releases"][0]["instances"] == 1
    assert asked == [1]


def test_what_the_vendor_wrote_is_text_and_an_expiry_is_said(
    page_stores: Stores, send: Callable[..., None]
) -> None:
    send(event("Instance Active"))
    releases = [{"version": "1.0<b>", "date": "<script>"}]
    publish(page_stores, feed(releases=releases, product="<i>Shop"))
    expires = read_time(FEED["expires"])
    assert expires is not None
    for now, words in (
        (NOW, ""),
        (expires - 29 * DAY_MS, "in 29 days: publish again"),
        (expires, "has expired"),
    ):
        shown = PageClient(page_stores, now).get("/releases").text
        assert words in shown
        assert "1.0&lt;b&gt;" in shown
        assert "<script>" not in shown.partition("<main")[2]
        assert ("publish again" in shown or "has expired" in shown) == bool(words)


def test_a_source_without_a_feed_is_told_how_to_publish_one(
    page_stores: Stores, client: PageClient, send: Callable[..., None]
) -> None:
    send(event("Instance Active"), source="another")
    send(event("Instance Active"))
    publish(page_stores, feed(), source="another")
    shown = client.get("/releases?source=product")
    assert "rollcall-collector releases publish feed.json --source product" in shown.text
    told = client.get("/releases.json?source=product").json()
    assert (told["product"], told["tables"]["releases"]) == (None, [])
    assert client.get("/releases.json?source=another").json()["product"] == "Shop"

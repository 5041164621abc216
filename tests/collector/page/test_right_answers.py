"""Each list and number says what a vendor takes it for."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from collector.admin.keys import source_named
from collector.base.ids import as_uuid
from collector.ingest import decode
from collector.page.period import iso
from collector.page.views import usage
from collector.store import Stores
from collector.store.values import Cutoffs
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import HOUR, INSTANCE, RUN, event, failed_run

DAY = 24 * HOUR
OTHER = INSTANCE[:8] + "-9999-4999-8999-999999999999"
FAILURE = "script=install.sh&line=42&command=curl&end=127"


def older_failure(days: int) -> list[dict[str, object]]:
    run = as_uuid(bytes([days]) * 16)
    started, failed, _ = failed_run(run)
    return [
        {**one, "timestamp": event("x", days * DAY + ago)["timestamp"]}
        for one, ago in ((started, 2 * HOUR), (failed, HOUR))
    ]


def test_a_failures_page_is_of_one_period(client: PageClient, send: Callable[..., None]) -> None:
    send(*older_failure(40), *older_failure(2))
    past = iso((NOW - 20 * DAY) // DAY)
    for period, days in (("period=month", 2), (f"period=month&to={past}", 40)):
        shown = client.get(f"/failure.json?{FAILURE}&{period}").json()
        assert [row["run"] for row in shown["tables"]["runs"]] == [as_uuid(bytes([days]) * 16)]
        assert shown["runs"] == 1


def test_a_row_of_failures_names_all_of_its_days(client: PageClient, send: Callable[..., None]) -> None:
    """In a year, a bar of the chart and its row are of a week."""
    send(*older_failure(3), *older_failure(4))
    today = NOW // DAY
    for period, days in (("year", f"{iso(today - 6)}/{iso(today)}"), ("month", iso(today - 3))):
        rows = client.get(f"/failure.json?{FAILURE}&period={period}").json()["tables"]["over_time"]
        assert [row["failed"] for row in rows if row["day"] == days] == [2 if "/" in days else 1]


def test_returning_ones_of_a_past_period_are_those_seen_since_it_began(
    client: PageClient, send: Callable[..., None]
) -> None:
    send(event("Instance Active", 60 * DAY), event("Instance Active"))  # on no day of that week
    past = f"period=week&to={iso((NOW - 20 * DAY) // DAY)}"
    assert client.get(f"/instances.json?{past}").json()["returning"] == 1
    for period, seen in ((past, "since it began"), ("period=week", "in the period")):
        assert f"first seen earlier, and seen {seen}<" in client.get(f"/instances?{period}").text


def test_a_past_period_counts_who_has_expired_since(client: PageClient, page_stores: Stores) -> None:
    with page_stores.control.transaction() as tx:
        source = source_named(tx, "product", 0)
    sent = [event("Instance Active", days * DAY) for days in (100, 98)]
    sent += [{**event("Instance Active", days * DAY), "anonymousId": OTHER} for days in (100, 0)]
    events = [decode.read_event(one, "track", source, NOW) for one in sent]
    page_stores.events.keep(one._replace(received=one.time) for one in events)
    page_stores.events.expire(Cutoffs.all_at(NOW - 60 * DAY), NOW, lambda _: None)
    assert client.get("/instances.json").json()["beating"] == 1
    for days, states in ((90, (0, 2, 0)), (65, (0, 0, 2))):
        shown = client.get(f"/instances.json?to={iso((NOW - days * DAY) // DAY)}").json()
        assert (shown["beating"], shown["silent"], shown["gone"]) == states


@pytest.mark.parametrize("typed", [INSTANCE, INSTANCE[:8], INSTANCE[:13].upper(), INSTANCE[:23]])
def test_an_instance_opens_by_the_beginning_of_its_id(
    client: PageClient, send: Callable[..., None], typed: str
) -> None:
    send(event("Instance Active"), {**event("deploy"), "anonymousId": OTHER[::-1]})
    assert client.get(f"/instance/{typed}.json").json()["instance"] == INSTANCE
    found = client.get(f"/events.json?instance={typed}").json()["tables"]["events"]
    assert [row["instance"] for row in found] == [INSTANCE]
    assert f'href="/instance/{INSTANCE}"' in client.get(f"/find?id={typed}").text


def test_a_beginning_that_two_share_opens_neither_and_finds_both(
    client: PageClient, send: Callable[..., None]
) -> None:
    send(event("Instance Active"), {**event("Instance Active"), "anonymousId": OTHER})
    assert client.get(f"/instance/{INSTANCE[:8]}").status == 404
    assert client.get(f"/instance/{INSTANCE[:10]}").status == 200
    found = client.get(f"/find.json?id={INSTANCE[:8]}").json()["tables"]["found"]
    assert {row["id"] for row in found} == {INSTANCE, OTHER}


def test_the_reference_of_a_request_for_help_opens_its_run(
    client: PageClient, send: Callable[..., None]
) -> None:
    send(*failed_run())
    reference = client.get("/support.json").json()["tables"]["requests"][0]["reference"]
    assert client.get(f"/run/{reference}.json").json()["run"] == RUN
    assert f'href="/run/{RUN}"' in client.get(f"/find?id={reference}").text
    assert "No instance or run has this id" in client.get(f"/find?id={reference[:7]}").text


def test_a_source_without_events_says_how_to_send_to_it(
    client: PageClient, send: Callable[..., None], page_stores: Stores
) -> None:
    send(event("Instance Active"))
    with page_stores.control.transaction() as tx:
        source_named(tx, "new & shiny", 0)
    for path in ("/", "/installs", "/instances"):
        shown = client.get(f"{path}?source={quote('new & shiny')}").text
        assert "rollcall-collector keys add &#39;new &amp; shiny&#39;" in shown
        assert "ROLLCALL_ENDPOINT=http://127.0.0.1:8787" in shown
        assert "keys add" not in client.get(f"{path}?source=product").text


def test_usage_events_are_on_the_overview_and_lead_to_their_rows(
    client: PageClient, send: Callable[..., None]
) -> None:
    send(*(event("Workflow Run & Saved", number * HOUR) for number in range(3)), event("Instance Active"))
    assert client.get("/overview.json").json()["tables"]["usage"] == [
        {"event": "Workflow Run & Saved", "events": 3}
    ]
    name = "event=Workflow+Run+%26+Saved"
    assert f'<a href="/usage?{name}">Workflow Run &amp; Saved</a>' in client.get("/").text
    assert f'<a href="/events?{name}">3</a>' in client.get("/").text
    assert client.get(f"/usage?{name}").status == client.get(f"/events?{name}").status == 200


def test_a_sample_of_a_rare_usage_event_is_not_told_for_all(
    client: PageClient, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is none of the most frequent names of the period."""
    monkeypatch.setattr(usage, "MOST_NAMES", 1)
    monkeypatch.setattr(usage, "SAMPLE", 2)
    send(*(event("often", number * HOUR) for number in range(5)))
    send(*(event("rare", number * HOUR) for number in range(4)), event("rare", 40 * DAY))
    assert "Of the 4 events of this period, the latest 2," in client.get("/usage?event=rare").text
    assert "Of the 5 events of this period, the latest 2," in client.get("/usage?event=often").text


@pytest.mark.parametrize("environment", ["", "internal", "ci"])
def test_who_waits_for_help_is_still_stuck_in_every_environment(
    client: PageClient, send: Callable[..., None], environment: str
) -> None:
    story = failed_run()
    for one in story:
        one["context"]["installation"]["environment"] = environment
    send(*story)
    for query in ("", "?show=still+stuck"):
        shown = client.get(f"/support.json{query}").json()
        assert [row["still_stuck"] for row in shown["tables"]["requests"]] == ["yes"]
    send({**event("Installation Success", 60_000, as_uuid(b"r" * 16)), "anonymousId": INSTANCE})
    assert client.get("/support.json").json()["tables"]["requests"][0]["still_stuck"] == "no"

"""Charts mark releases, advisories and outages, and no version that a stranger made up."""

from __future__ import annotations

from collections.abc import Callable

from collector.alerts.book import note_troubles
from collector.alerts.server_rules import away_trouble
from collector.alerts.troubles import SERVER, Trouble
from collector.base.times import DAY_MS, write_time
from collector.store import Stores
from collector.store.runs import MOST_FIRST_DAYS
from tests.agent.updates.signing import feed
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.test_releases import install, publish

FLOOD = 120


def marked(client: PageClient, path: str = "/?period=month") -> list[str]:
    """The kinds and texts of the marks of the first chart."""
    chart = client.get(path).text.partition("<figure")[2].partition("</figure>")[0]
    listed = chart.partition('aria-label="Marked in the chart')[2]
    return [part.partition("</a>")[0].partition(">")[2] for part in listed.split("<a ")[1:]]


def test_releases_are_marked_where_they_were_first_installed(
    client: PageClient, send: Callable[..., None], page_stores: Stores
) -> None:
    send(*(one for number in range(FLOOD) for one in install(number, "2.4.1", "Errors")[:1]))
    assert marked(client) == ["first install of 2.4.1"]
    send(*install(FLOOD, "9.9.9", "Errors"), *install(FLOOD + 1, "evil.com", "Errors"))
    assert marked(client) == ["first install of 2.4.1"]
    send(*(one for number in range(FLOOD) for one in install(1000 + number, "9.9.9", "Errors")[:1]))
    assert sorted(marked(client)) == ["first install of 2.4.1", "first install of 9.9.9"]
    publish(page_stores, feed())
    assert marked(client) == ["2.4.1 released"]  # strangers do not write the feed


def test_a_rare_version_is_found_among_many_that_strangers_made_up(
    client: PageClient, send: Callable[..., None], page_stores: Stores
) -> None:
    send(*install(0, "2.4.1", "Success"), *install(1, "2.4.1", "Success"), *install(2, "8.8", "Errors"))
    half = MOST_FIRST_DAYS // 2
    for first in (0, half):
        made_up = [install(3 + number, f"0.{number}", "Errors")[0] for number in range(first, first + half)]
        for number, one in enumerate(made_up):
            one["timestamp"] = write_time(NOW - number % 20 * DAY_MS)
        send(*made_up)
        page_stores.events.first_days(1, "version")
    assert "8.8" not in page_stores.events.first_days(1, "version")
    page = client.get("/since?period=month&version=8.8")
    assert (page.status, "Since 8.8" in page.text) == (200, True)
    assert client.get("/since?period=month&version=7.7").status == 404


def test_advisories_and_outages_are_marked_with_what_says_more(
    client: PageClient, send: Callable[..., None], page_stores: Stores
) -> None:
    send(*install(0, "2.4.1", "Success"))
    advisories = [
        {"id": name, "severity": "low", "affected": ["*"], "summary": "x", "date": day}
        for name, day in (("SHOP-1", "2024-09-20"), ("SHOP-2", "some day"), ("SHOP-3", "1999-01-01"))
    ]
    publish(page_stores, feed(releases=[], advisories=advisories))
    note_troubles(page_stores.control, SERVER, "Rollcall", [away_trouble()], NOW - 3 * DAY_MS)
    help_wanted = Trouble("help", "", "Somebody is waiting", "1 person.", "/support")
    note_troubles(page_stores.control, 1, "product", [help_wanted], NOW - 2 * DAY_MS)
    assert marked(client) == ["advisory SHOP-1", "The database does not answer"]
    text = client.get("/?period=month").text
    assert 'class="mark outage"' in text
    assert '<a href="/releases?period=month#advisories">advisory SHOP-1</a>' in text
    assert '<a href="/alerts?period=month">The database does not answer</a>' in text
    for path in ("/installs", "/adoption", "/instances"):
        assert "advisory SHOP-1" in marked(client, path), path


def test_a_chart_of_shares_has_shares_in_its_table(client: PageClient, send: Callable[..., None]) -> None:
    for number, outcome in enumerate(("Success", "Success", "Success", "Errors")):
        send(*install(number, "2.4.1", outcome))
    table = client.get("/?period=month").text.partition('<caption class="hidden">Success rate')[2]
    assert '<td class="num">75 %</td>' in table.partition("</table>")[0]
    assert client.get("/overview.csv?period=month&table=success_rate").text.count(",0.75") == 1

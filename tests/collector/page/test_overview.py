"""The overview's big numbers, as a person reads them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest

from collector.page.analysis.changes import Change
from collector.page.views.overview import ActiveCount
from tests.collector.page.client import PageClient
from tests.collector.page.stories import HOUR, event
from tests.collector.page.test_since import installs

LINK = re.compile(r'<dt><a href="([^"]*state=[^"]*)#list">last ([^<]*)</a></dt><dd><b>([0-9]+)<')
CARD = re.compile(r'<div class="card big"><dt><a [^>]*>(.*?)</a></dt><dd>(.*?)</dd></div>')
DAY = 24 * HOUR
COMPARED = "compared with the same weekday a week ago"


def cards(client: PageClient) -> dict[str, str]:
    """What each card of active instances says, without its markup."""
    found = CARD.findall(client.get("/").text)
    return {name: " ".join(re.sub(r"<[^>]*>", " ", words).split()) for name, words in found}


def test_each_number_of_active_instances_leads_to_a_list_of_them(
    client: PageClient, send: Callable[..., None]
) -> None:
    for number, age in enumerate((0, 5, 24 * 60, 24 * 60 + 1, 6 * 24 * 60, 7 * 24 * 60, 31 * 24 * 60)):
        for minutes in (age, age + 3 * 24 * 60):  # all are established
            send({**event("Instance Active", minutes * 60_000), "anonymousId": f"instance {number}"})
    send({**event("Instance Active"), "anonymousId": "short-lived"})
    counted = {}
    for link, span, n in LINK.findall(client.get("/").text):
        table = client.get(html.unescape(link).replace("?", ".json?")).json()["tables"]["instances"]
        assert len(table) == int(n), link
        counted[span] = int(n)
    assert counted == {"24 hours": 2, "7 days": 5, "30 days": 6}
    assert not LINK.findall(client.get("/?to=2024-09-01").text)  # of the past, nobody can list them


def test_an_instance_is_shown_from_its_first_heartbeat_on(
    client: PageClient, send: Callable[..., None]
) -> None:
    send(event("Instance Active"))
    assert cards(client) == dict.fromkeys(
        ("last 24 hours", "last 7 days", "last 30 days"),
        "1 seen for less than a day, so not in the chart yet",
    )


def test_beside_established_instances_a_new_one_is_shown_apart(
    client: PageClient, send: Callable[..., None]
) -> None:
    send(*(event("Instance Active", ago) for ago in (HOUR, 2 * DAY)))
    send({**event("Instance Active"), "anonymousId": "another"})
    assert cards(client)["last 24 hours"] == f"1 +1 {COMPARED}; plus 1 short-lived"


def test_a_new_instance_does_not_hide_that_the_established_ones_fell_silent(
    client: PageClient, send: Callable[..., None]
) -> None:
    send(*(event("Instance Active", ago) for ago in (DAY + HOUR, 7 * DAY)))
    send({**event("Instance Active"), "anonymousId": "another"})
    assert cards(client)["last 24 hours"] == f"0 \N{MINUS SIGN}1 {COMPARED}; plus 1 short-lived"


@pytest.mark.parametrize(
    ("change", "tone"),
    [
        (Change(525, (640, 900)), ""),  # it grows, if less than it did
        (Change(950, (640, 900)), "up"),
        (Change(-3, (640, 900)), "down"),
        (Change(-3, (-20, -5)), ""),
        (Change(-3, (-20, 5)), ""),
        (Change(-3, None), ""),
    ],
)
def test_the_colour_of_a_change_says_whether_it_is_good(change: Change, tone: str) -> None:
    assert ActiveCount(7, 1000, 0, change).tone == tone


def test_a_change_stands_beside_those_of_the_weeks_before(
    client: PageClient, send: Callable[..., None]
) -> None:
    for number in range(4):  # one more in each week
        beats = (event("Instance Active", days * DAY + HOUR) for days in range(number * 7 + 1))
        send(*({**one, "anonymousId": f"instance {number}"} for one in beats))
    send(*({**event("Instance Active", days * DAY + HOUR), "anonymousId": "old"} for days in range(60)))
    assert cards(client)["last 7 days"].endswith(
        "as usual: in the weeks before it was between \N{PLUS-MINUS SIGN}0 and +1; plus 1 short-lived"
    )


def test_a_release_of_few_installs_is_not_compared(client: PageClient, send: Callable[..., None]) -> None:
    def first_line() -> str:
        return client.get("/?period=month").text.partition('<p class="call')[2].partition("</p>")[0]

    send(*installs("1.9.0", 20, 90, {51: 10}))
    assert first_line() == ""  # no release is before it
    send(*installs("1.10.0", 2, 2, {51: 1}))
    assert first_line().endswith("1.10.0: 2 of 3 installs succeeded, too few to compare with 1.9.0.</a>")
    send(*installs("1.11.0", 0, 0, {}, given_up=3))
    assert first_line().endswith("1.11.0: no install has ended yet.</a>")

"""The overview's big numbers, as a person reads them."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.collector.page.client import PageClient
from tests.collector.page.stories import HOUR, event

CARD = re.compile(r'<div class="card big"><dt><a [^>]*>(.*?)</a></dt><dd>(.*?)</dd></div>')
DAY = 24 * HOUR
COMPARED = "compared with the same weekday a week ago"


def cards(client: PageClient) -> dict[str, str]:
    """What each card of active instances says, without its markup."""
    found = CARD.findall(client.get("/").text)
    return {name: " ".join(re.sub(r"<[^>]*>", " ", words).split()) for name, words in found}


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

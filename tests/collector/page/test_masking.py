"""A viewer is told no e-mail or IP address by any view, whatever it is written as; support is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from collector.base.events import ERRORS, STARTED, SUPPORT, Event, Fact
from collector.base.ids import key_of
from collector.base.personal import HIDDEN
from collector.page.frame import NAVIGATION, QUESTIONS
from collector.store import Stores
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.conftest import PASSWORD
from tests.collector.page.stories import INSTANCE, RUN, event

MAIL, V4, V6 = "ada@example.org", "203.0.113.9", "2001:db8::9"
BODY = (
    f'{{"userId":"{MAIL}","traits":{{"contact":"{MAIL}","from":"{V4}"}},"{MAIL}":1,'
    f'"properties":{{"deep":[["{V6}",{{"url":"https://{V4}/?user={MAIL}"}}]]}}}}'
)
PLACE = f"/failure?script={MAIL}&line=7&command={V4}&end={V6}"
ASKED = re.compile(r'(?:href|value)="[^"]*"')  # repeats what was asked for
VIEWS = [
    *(path for path, _ in NAVIGATION),
    *(path for path, *_ in QUESTIONS),
    f"/run/{RUN}",
    f"/instance/{INSTANCE}",
    PLACE,
]


def told(name: str, fact: Fact, number: int) -> Event:
    """An event as an earlier version of the collector stored it: nothing was masked on its way."""
    who, run = key_of(INSTANCE), key_of(RUN)
    return Event(1, key_of(f"m{number}"), NOW, NOW - 1000, "track", name, who, run, BODY, None, fact)


@pytest.fixture(autouse=True)
def stored(page_stores: Stores, send: Callable[..., None]) -> None:
    send(event("Something Used"))
    names = Fact(version=MAIL, os=V4, os_version=V6)
    failed = names._replace(reason=MAIL, signal=V6, script=MAIL, line=7, command=V4)
    asked = names._replace(email=MAIL, reference=V4)
    stories = (
        (STARTED, names),
        (ERRORS, failed),
        (SUPPORT, asked),
        (f"Signed up {MAIL}", names),
    )
    page_stores.events.keep([told(name, fact, number) for number, (name, fact) in enumerate(stories)])


def everything(client: PageClient, name: str) -> dict[str, str]:
    """What somebody is told by each view, as a page, as JSON and as CSV."""
    cookie = client.sign_in(name, PASSWORD)
    found = {}
    for view in VIEWS:
        path, _, query = view.partition("?")
        for suffix in ("", ".json", ".csv"):
            address = f"{'/overview' if path == '/' else path}{suffix}?{query}"
            text = client.get(address, cookie=cookie).text
            found[address] = ASKED.sub("", text) if view == PLACE else text
    return found


def test_a_viewer_is_told_no_address_by_value(client: PageClient, viewer: str, helper: str) -> None:
    seen, all_there = everything(client, viewer), everything(client, helper)
    for address in (MAIL, V4, V6):
        assert [view for view, text in seen.items() if address in text] == []
        assert [view for view, text in all_there.items() if address in text]
    assert HIDDEN in seen["/events.json?"]
    assert HIDDEN not in all_there["/events.json?"]


def test_what_hides_an_address_leaves_the_json_whole(
    page_stores: Stores, client: PageClient, viewer: str, helper: str
) -> None:
    """Even where an address stands right behind what JSON escapes."""
    text = f"by\n{MAIL}"
    roles = {MAIL: "owner", "bob@example.org": "user"}
    said = {"said": text, f"\n{MAIL}": [f'"{V4}', {"\\": MAIL}], "roles": roles}
    body = json.dumps({"userId": "u", "properties": said})
    page_stores.events.keep(
        [Event(1, key_of("odd"), NOW, NOW - 1, "track", "Odd", key_of(INSTANCE), key_of(RUN), body)]
    )
    for path in ("/events.json", f"/run/{RUN}.json"):
        seen = {}
        for name in (viewer, helper):
            told = client.get(path, cookie=client.sign_in(name, PASSWORD)).json()
            rows = [row for table in told["tables"].values() for row in table]
            (odd,) = (row["json"]["properties"] for row in rows if "Odd" in row.values())
            seen[name] = odd
        assert seen[viewer] == {
            "said": f"by\n{HIDDEN}",
            f"\n{HIDDEN}": [f'"{HIDDEN}', {"\\": HIDDEN}],
            "roles": {HIDDEN: "owner", f"{HIDDEN} 2": "user"},
        }
        assert seen[helper]["said"] == text


def test_every_view_of_a_viewer_has_the_same_numbers(client: PageClient, viewer: str, helper: str) -> None:
    for path in ("/overview.json", "/installs.json", "/instances.json"):
        shown = [client.get(path, cookie=client.sign_in(name, PASSWORD)).json() for name in (viewer, helper)]
        assert _numbers(shown[0]) == _numbers(shown[1])


def _numbers(value: object) -> list[object]:
    if isinstance(value, dict):
        return [number for one in value.values() for number in _numbers(one)]
    if isinstance(value, list):
        return [number for one in value for number in _numbers(one)]
    return [value] if isinstance(value, int | float) else []

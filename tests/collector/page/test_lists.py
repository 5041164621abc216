"""Lists that are longer than a page: each thing is on one page of them, once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from collector.admin.keys import source_named
from collector.base.ids import key_of
from collector.ingest import decode
from collector.page.queries import help as help_queries
from collector.page.queries.help import find_requests, list_requests
from collector.store import Stores
from collector.store.answers import answer_request
from collector.store.sql import instances
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import HOUR, INSTANCE, RUN, event

MANY = 120
UUID = "([0-9a-f-]{36})"
ROW = {
    "events": re.compile(r'<pre tabindex="0" aria-label="[^"]* as JSON">(.*?)</pre>', re.DOTALL),
    "instances": re.compile(f'<th scope="row"><a href="/instance/{UUID}'),
    "runs": re.compile(f'<th scope="row"><a href="/run/{UUID}'),
    "requests": re.compile(f'name="run" value="{UUID}"'),
}
OLDER = re.compile(r'<p class="more"><a href="([^"#]*)')


def everything(client: PageClient, address: str, table: str) -> list[str]:
    """What the rows of every page are of, by following the link to the earlier one."""
    rows: list[str] = []
    while address:
        text = client.get(address).text
        found = ROW[table].findall(text)
        rows += [json.loads(unescape(one))["messageId"] if table == "events" else one for one in found]
        older = OLDER.search(text)
        address = unescape(older[1]) if older else ""
    return rows


def in_json(client: PageClient, address: str, table: str) -> list[str]:
    """The same of the rows in the JSON of a view."""
    path, _, query = address.partition("?")
    rows = client.get(f"{path}.json?{query}&table={table}").json()["tables"][table]
    if table == "events":
        return [row["json"]["messageId"] for row in rows]
    return [row["instance" if table == "instances" else "run"] for row in rows]


def one(_: int) -> dict[str, Any]:
    return event("deploy")


@pytest.mark.parametrize(
    ("address", "table"),
    [
        ("/events", "events"),
        ("/events?event=deploy", "events"),
        (f"/events?instance={INSTANCE}", "events"),
        (f"/events?instance={INSTANCE}&event=Instance+Active", "events"),
        ("/instances", "instances"),
    ],
)
def test_what_happened_in_the_same_moment_is_on_one_page_each(
    stores: Stores, address: str, table: str
) -> None:
    """As the events of a batch without times of their own."""
    kinds: dict[str, Callable[[int], dict[str, Any]]] = {
        "/events?event=deploy": lambda n: {"event": "deploy", "anonymousId": f"a{n}"},
        "/instances": lambda n: {**event("Installation Started"), "anonymousId": f"a{n}"},
        f"/events?instance={INSTANCE}&event=Instance+Active": lambda _: event("Instance Active"),
    }
    made = kinds.get(address, one)
    with stores.control.transaction() as tx:
        source = source_named(tx, "product", 0)
    stores.events.keep(
        [decode.read_event({**made(n), "messageId": f"m{n}"}, "track", source, NOW) for n in range(MANY)]
    )
    client = PageClient(stores)
    rows = everything(client, address, table)
    assert len(rows) == len(set(rows)) == MANY
    assert rows == in_json(client, address, table)


def fleet(number: int) -> list[dict[str, Any]]:
    """An instance; each third one is silent, and each seventh never sent a heartbeat."""
    who = {"anonymousId": f"a{number}"}
    if number % 7 == 0:
        installs = (number, 60 * HOUR) if number % 2 else (number,)
        return [{**event("Installation Started", ago, run=f"run {number} {ago}"), **who} for ago in installs]
    quiet = 20 * HOUR if number % 3 == 0 else 0
    return [{**event("Instance Active", ago + number), **who} for ago in (quiet, 60 * HOUR)]


@pytest.mark.parametrize("state", ["beating", "silent", "gone", "never", "short-lived"])
def test_a_list_is_searched_piece_by_piece_and_complete(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    with stores.control.transaction() as tx:
        source = source_named(tx, "product", 0)
    stores.events.keep(decode.read_event(one, "track", source, NOW) for n in range(MANY) for one in fleet(n))
    client = PageClient(stores)
    whole = everything(client, f"/instances?state={state}", "instances")
    counts = client.get("/instances.json").json()
    assert len(whole) == counts[state.replace("-", "_")]
    assert bool(whole) == (state != "gone")
    assert whole == in_json(client, f"/instances?state={state}", "instances")
    monkeypatch.setattr(instances, "SEARCHED", 7)
    pieces = everything(client, f"/instances?state={state}", "instances")
    assert pieces == whole


def test_a_list_is_read_from_either_end_by_a_click_on_its_head(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stores.control.transaction() as tx:
        source = source_named(tx, "product", 0)
    for number in range(60):
        names = ["Installation Started", "Installation Errors"]
        names += ["Installation Support"] if number % 3 else []
        told = [event(name, HOUR + number, run=f"run {number}") for name in names]
        stores.events.keep(
            decode.read_event({**one, "anonymousId": f"a{number}"}, "track", source, NOW) for one in told
        )
    for number in range(10):
        answer_request(stores.control, source, key_of(f"run {number}"), "ada", NOW)
    monkeypatch.setattr(help_queries, "SEARCHED", 60)
    client = PageClient(stores)
    for address, table, column, many in (
        ("/installs?", "runs", "began", 60),
        ("/stuck?", "runs", "began", 60),
        ("/instances?", "instances", "last_seen", 60),
        ("/support?", "requests", "asked", 40),
        ("/support?show=waiting&", "requests", "asked", 34),
        ("/support?show=answered&", "requests", "asked", 6),
    ):
        path, _, query = address.partition("?")
        orders = {}
        for sort, way in ((column, "ascending"), (f"-{column}", "descending")):
            sorted_query = f"{query}{table}.sort={sort}"
            rows = client.get(f"{path}.json?{sorted_query}&table={table}").json()["tables"][table]
            orders[sort] = [row["instance" if table == "instances" else "run"] for row in rows]
            times = [row[column] for row in rows]
            assert len(set(times)) == many
            assert times == sorted(times, reverse=sort.startswith("-")), address
            text = client.get(f"{path}?{sorted_query}").text
            # The head of /stuck says for how long, which falls as times rise.
            word = {"ascending": "descending", "descending": "ascending"}[way] if path == "/stuck" else way
            head = re.search(f'aria-sort="{word}"><a href="([^"#]*)#', text)
            assert head, address
            other = unescape(head[1])
            assert f"{table}.sort={column if sort.startswith('-') else f'-{column}'}" in other
            if path != "/stuck":
                assert everything(client, f"{path}?{sorted_query}", table) == orders[sort]
                assert everything(client, other, table) == orders[sort][::-1]
        assert orders[column] == orders[f"-{column}"][::-1]
        assert client.get(f"{path}?{table}.sort=version").status == 400


def test_requests_that_wait_come_first_and_are_counted_up_to_a_bound(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stores.control.transaction() as tx:
        source = source_named(tx, "product", 0)
    for number in range(9):
        told = event("Installation Support", HOUR - number, run=f"run {number}", reference=str(number))
        stores.events.keep([decode.read_event(told, "track", source, NOW)])
    for number in (8, 3):
        answer_request(stores.control, source, key_of(f"run {number}"), "ada", NOW)
    requests = find_requests(stores, source)
    listed = list_requests(stores.events, source, requests, "all", 0, 8)
    assert [one.run.reference for one in listed] == ["0", "1", "2", "4", "5", "6", "7", "8"]
    assert len(requests.waiting) == 7
    monkeypatch.setattr(help_queries, "MOST_WAITING", 5)
    assert find_requests(stores, source).waiting == tuple(key_of(f"run {n}") for n in (0, 1, 2, 4, 5))


def test_a_page_of_large_events_ends_earlier_and_none_is_left_out(stores: Stores) -> None:
    with stores.control.transaction() as tx:
        source = source_named(tx, "product", 0)
    large = [{**event("deploy"), "messageId": f"m{n}", "k": "x" * 30_000} for n in range(30)]
    stores.events.keep(decode.read_event(one, "track", source, NOW) for one in large)
    client = PageClient(stores)
    first = client.get("/events").text
    assert 0 < len(ROW["events"].findall(first)) < 30
    assert len(first) < 300_000
    assert len(everything(client, "/events", "events")) == 30


def test_a_run_that_sends_without_end_shows_its_first_events(stores: Stores) -> None:
    with stores.control.transaction() as tx:
        source = source_named(tx, "product", 0)
    for count, more in ((3, False), (100, True)):
        sent = [{**event("Installation Started"), "messageId": f"{count} {n}"} for n in range(count)]
        stores.events.keep(decode.read_event(one, "track", source, NOW) for one in sent)
        shown = PageClient(stores).get(f"/run/{RUN}.json").json()
        assert shown["has_more_events"] == more
        assert len(shown["tables"]["events"]) == min(count, 50)

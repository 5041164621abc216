"""A CSV has every row of its list, and comes in pieces; a page of it leads to the next one."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import pytest

from collector.base.http import StreamedAnswer
from collector.base.ids import as_uuid
from collector.page import export, view_types
from collector.page.queries import help as help_queries
from collector.page.views import events, instances, run_list, support
from collector.store import Stores
from tests.collector.page.client import PageClient
from tests.collector.page.stories import EMAIL, HOUR, event, failed_run
from tests.collector.page.test_lists import everything, in_json

MANY = 130
FAILURE = "/failure{}?script=install.sh&line=42&command=curl&end=127"
LISTS = {
    "/instances{}": "instances",
    "/instances{}?state=never": "instances",
    "/instances{}?instances.sort=last_seen": "instances",
    "/installs{}": "runs",
    FAILURE: "runs",
    f"{FAILURE}&runs.sort=began": "runs",
    "/support{}": "requests",
    "/support{}?requests.sort=asked": "requests",
    "/support{}?requests.sort=-asked": "requests",
    "/events{}": "events",
    "/events{}?event=Installation+Errors": "events",
    "/events{}?events.sort=time": "events",
}


@pytest.fixture
def fleet(send: Callable[..., None]) -> None:
    """Instances whose runs all began in the same moment, as those of a broken clock."""
    for number in range(MANY):
        who = as_uuid(bytes([1, number]) * 8)
        told = [
            *failed_run(as_uuid(bytes([2, number]) * 8)),
            event("Installation Started", 60 * HOUR, "older"),
        ]
        send(*({**one, "anonymousId": who} for one in told[:3]))
        send({**told[3], "anonymousId": who, "context": {}})


@pytest.fixture(params=[500, 7], ids=["one piece", "many pieces"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    for module in (view_types, instances, run_list, support):
        monkeypatch.setattr(module, "PIECE_ROWS", request.param)
    monkeypatch.setattr(events, "PIECE_EVENTS", request.param)
    return int(request.param)


def rows_of(client: PageClient, address: str, table: str) -> list[dict[str, str]]:
    link = address.format(".csv")
    reply = client.get(f"{link}{'&' if '?' in link else '?'}table={table}")
    assert reply.status == 200
    return list(csv.DictReader(io.StringIO(reply.text)))


@pytest.mark.usefixtures("fleet", "pieces")
def test_a_csv_has_every_row_that_the_pages_have(client: PageClient) -> None:
    for address, table in LISTS.items():
        rows = rows_of(client, address, table)
        key = {"instances": "instance", "events": "json"}.get(table, "run")
        assert len(rows) >= MANY
        assert len({row[key] for row in rows}) == len(rows)
        paged = everything(client, address.format(""), table)
        assert paged == in_json(client, address.format(""), table)
        assert paged == [json.loads(row[key])["messageId"] if key == "json" else row[key] for row in rows]


@pytest.mark.usefixtures("fleet")
def test_more_requests_than_are_counted_are_all_in_the_csv_and_the_json(
    client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(help_queries, "MOST_WAITING", 40)
    monkeypatch.setattr(support, "MOST_WAITING", 40)
    monkeypatch.setattr(support, "PIECE_ROWS", 7)
    first = rows_of(client, "/support{}", "requests")[0]["run"]
    page = client.get("/support")
    fields = {"token": page.token, "run": first, "answered": "yes"}
    assert client.post("/support", fields, cookie=client.cookie).status == 303
    rows = [row["run"] for row in rows_of(client, "/support{}", "requests")]
    assert len(set(rows)) == len(rows) == MANY
    assert rows[-1] == first
    assert rows == in_json(client, "/support", "requests")
    assert "At least 40 open requests" in page.text
    assert "Every request is in the CSV" in page.text


def test_a_json_of_many_pieces_has_the_same_and_one_table_of_it_comes_alone(
    client: PageClient, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(*failed_run(), event("Instance Active"))
    monkeypatch.setattr(export, "FIRST_PIECE", 1 << 20)
    whole = client.get("/installs.json")
    assert whole.header("content-length")
    monkeypatch.setattr(export, "FIRST_PIECE", 1)
    monkeypatch.setattr(export, "LARGE_PIECE", 1)
    streamed = client.get("/installs.json")
    assert not streamed.header("content-length")
    assert streamed.json() == whole.json()
    alone = client.get("/installs.json?table=versions").json()
    assert alone == {**whole.json(), "tables": {"versions": whole.json()["tables"]["versions"]}}
    assert client.get("/installs.json?table=nothing").status == 404


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(("view", "question"), [("instances", "list_instances"), ("events", "latest_events")])
@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_the_first_rows_of_a_whole_list_do_not_wait_for_the_next_ones(
    page_stores: Stores, monkeypatch: pytest.MonkeyPatch, view: str, question: str, suffix: str
) -> None:
    """They are those of the page, and on their way when the store fails."""
    asked, ask = list[bool](), getattr(type(page_stores.events), question)

    def fail_later(*given: Any, **named: Any) -> Any:
        asked.append(True)
        if len(asked) > 1:
            raise OSError
        return ask(*given, **named)

    monkeypatch.setattr(type(page_stores.events), question, fail_later)
    with pytest.raises(OSError):  # noqa: PT011 - it ends the connection, and is no answer
        PageClient(page_stores).get(f"/{view}.{suffix}")


@pytest.mark.usefixtures("fleet", "pieces")
def test_further_pieces_are_masked_for_a_viewer_too(
    page_stores: Stores, send: Callable[..., None], viewer: str
) -> None:
    send(*({**event(f"mail to {EMAIL}"), "messageId": str(number)} for number in range(MANY)))
    client = PageClient(page_stores)
    cookie = client.sign_in(viewer, "correct horse battery")
    for suffix in ("csv", "json"):
        told = client.get(f"/events.{suffix}", cookie=cookie).text
        assert EMAIL not in told
        assert told.count("(hidden)") >= MANY
    assert client.get("/support.csv", cookie=cookie).status == 403


def test_a_piece_that_cannot_be_made_breaks_the_answer_off() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def pieces() -> Any:
        for piece in broken():
            yield piece

    def broken() -> Iterator[bytes]:
        yield b"one"
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - whatever it is
        asyncio.run(StreamedAnswer(200, pieces(), b"text/csv").send(send))
    assert [message.get("more_body") for message in sent] == [None, True]

"""The numbers are made once a week and never change, whatever happens to the events."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

import pytest

from collector.admin import demo, keys, users
from collector.admin.transfer import add_in_chunks
from collector.base.times import DAY_MS, WEEK
from collector.page.period import iso
from collector.public.numbers import published_weeks, set_public, store_weeks
from collector.public.publisher import EARLIER, PAUSE_SECONDS, Publisher, monday_of
from collector.public.rounding import TOTAL, Cell
from collector.store import StoreError, Stores, open_stores
from collector.store.database import Row
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.conftest import PASSWORD, cheap_hashes, page_stores

__all__ = ["cheap_hashes", "page_stores"]
MONDAY = monday_of(NOW // DAY_MS)


@pytest.fixture
def fleet(page_stores: Stores) -> Stores:
    """A year of 60 instances in the source `demo`."""
    keys.add_key(page_stores.control, "demo", 0)
    add_in_chunks(page_stores.events, demo.demo_events(60, 1, NOW, 1), lambda _: None)
    while page_stores.events.fold():
        pass
    return page_stores


def publish(stores: Stores, now: int = NOW) -> None:
    Publisher(stores, lambda: now / 1000).publish()


@pytest.mark.once
def test_a_public_page_shows_everybody_a_year_and_then_a_week_more_each_week(fleet: Stores) -> None:
    client = PageClient(fleet)
    strangers: dict[str, str] = {"cookie": ""}
    assert client.get("/public/demo", **strangers).status == 404
    publish(fleet)
    assert not published_weeks(fleet.control, 1)
    set_public(fleet.control, "demo", NOW, public=True, by="ada")
    publish(fleet)
    shown = client.get("/public/demo.json", **strangers)
    assert shown.header("cache-control") == "public, max-age=3600"
    assert shown.header("set-cookie") == ""
    told = shown.json()
    assert "floor, not a total" in told["how"]
    assert "made-up instances" in told["how"]
    weeks = told["weeks"]
    assert 40 < len(weeks) <= EARLIER + 1
    assert weeks[-1]["week"] == iso(MONDAY)
    census = fleet.events.census(1, NOW)
    latest = weeks[-1]
    assert 0 <= census.active[30, True] - latest["active_instances"] < 10
    assert sum(latest["versions"].values()) <= census.active[30, True]
    assert latest["versions"]
    assert latest["systems"]
    assert weeks[-1]["success_percent_at_least"]
    html = client.get("/public/demo", **strangers)
    assert html.status == 200
    assert html.header("cache-control") == "public, max-age=3600"
    assert html.header("set-cookie") == ""
    assert "demo in numbers" in html.text
    rows = client.get("/public/demo.csv", **strangers).text.splitlines()
    assert rows[0] == "week,kind,name,value"
    assert f"{iso(MONDAY)},active,,{latest['active_instances']}" in rows
    for instance in fleet.events.instances_between(1, b"\0" * 16, b"\xff" * 16, 30):
        fleet.events.forget(1, instance)
    publish(fleet)
    client.clock += 100
    assert client.get("/public/demo.json", **strangers).json() == told  # what was said stays said
    publish(fleet, NOW + WEEK * DAY_MS)
    client.clock += 100
    after = client.get("/public/demo.json", **strangers).json()["weeks"]
    assert after[:-1] == weeks
    assert after[-1]["week"] == iso(MONDAY + WEEK)


@pytest.mark.once
def test_a_first_publication_that_was_interrupted_leaves_no_week_out(
    fleet: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_public(fleet.control, "demo", NOW, public=True, by="ada")
    answers = [fleet.events.active_by_day] * 30

    def answer_some(*question: Any) -> Any:
        return answers.pop()(*question)

    with monkeypatch.context() as away:
        away.setattr(fleet.events, "active_by_day", answer_some)
        with pytest.raises(IndexError):
            publish(fleet)
    publish(fleet)
    assert len(published_weeks(fleet.control, 1)) > 40


@pytest.mark.once
def test_two_collectors_publish_one_week(page_stores: Stores, tmp_path: object) -> None:
    keys.add_key(page_stores.control, "demo", 0)
    other = open_stores(f"sqlite:///{tmp_path}/page.db")
    store_weeks(page_stores.control, 1, {MONDAY: {TOTAL: Cell(10, 12)}})
    later = {MONDAY + WEEK: {TOTAL: Cell(30, 32)}}
    store_weeks(other.control, 1, {MONDAY: {TOTAL: Cell(20, 22)}, **later})
    other.close()
    assert published_weeks(page_stores.control, 1) == {MONDAY: {TOTAL: Cell(10, 12)}, **later}


def test_a_week_that_comes_between_two_questions_is_read(
    page_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.add_key(page_stores.control, "demo", 0)
    ask = page_stores.control.all

    def ask_then_store(sql: str, *values: Any) -> list[Row]:
        rows = ask(sql, *values)
        if "public_weeks" in sql:
            store_weeks(page_stores.control, 1, {MONDAY: {TOTAL: Cell(10, 12)}})
        return rows

    monkeypatch.setattr(page_stores.control, "all", ask_then_store)
    assert published_weeks(page_stores.control, 1) == {MONDAY: {TOTAL: Cell(10, 12)}}


def test_a_step_that_fails_is_tried_again(
    page_stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Publisher(page_stores, lambda: NOW / 1000)
    for error in (StoreError("away"), KeyError(MONDAY)):
        monkeypatch.setattr(publisher, "publish", Mock(side_effect=error))
        assert publisher.step() == PAUSE_SECONDS
    assert "public numbers wait: away" in caplog.text
    assert "public numbers failed with KeyError" in caplog.text


def test_an_admin_switches_it_on_and_off(page_stores: Stores) -> None:
    keys.add_key(page_stores.control, "acme & co", 0)
    users.add_user(page_stores.control, "root", "admin", PASSWORD, 0)
    client = PageClient(page_stores)
    cookie = client.sign_in("root", PASSWORD)

    def does(action: str, name: str = "acme & co") -> int:
        fields = {"token": client.get("/admin", cookie=cookie).token, "action": action, "source": name}
        status = client.post("/admin", fields, cookie=cookie).status
        client.clock += 100
        return status

    assert does("make-public") == 303
    assert 'href="/public/acme%20%26%20co"' in client.get("/admin", cookie=cookie).text
    shown = client.get("/public/acme & co", cookie="")
    assert (shown.status, "The first numbers come" in shown.text) == (200, True)
    assert json.loads(client.get("/public/acme & co.json", cookie="").text)["weeks"] == []
    assert does("make-public", "nobody") == 403
    assert does("make-private") == 303
    assert client.get("/public/acme & co", cookie="").status == 404
    assert client.get("/public/acme & co.json", cookie="").json()["message"] == "Nothing is public here."


def test_weeks_begin_on_monday() -> None:
    days = [iso(monday_of(day)) for day in (20_003, 20_009, 20_010)]
    assert days == ["2024-10-07", "2024-10-07", "2024-10-14"]

"""The view Alerts: what is wrong, what was sent, and the limits that an admin sets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from collector.admin import users
from collector.admin.audit import latest_entries
from collector.alerts.book import note_troubles
from collector.alerts.limits import LIMITS, limits_of
from collector.alerts.troubles import SERVER, Trouble
from collector.store import Stores
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.conftest import PASSWORD
from tests.collector.page.stories import event

TYPED = {limit.name: str(number) for number, limit in enumerate(LIMITS)}


@pytest.fixture
def troubled(page_stores: Stores, send: Callable[..., None]) -> Stores:
    send(event("Instance Active"))
    send(event("Instance Active"), source="another")
    for source, name in ((1, "product"), (2, "another"), (SERVER, "Rollcall")):
        trouble = Trouble("active", "", f"Trouble of {name}", "It is bad.", "/installs")
        note_troubles(page_stores.control, source, name, [trouble], NOW)
    return page_stores


def test_the_view_lists_alerts_and_messages_of_the_source_and_of_the_collector(
    troubled: Stores, client: PageClient
) -> None:
    shown = client.get("/alerts?source=product").text
    assert "Trouble of product" in shown
    assert "Trouble of Rollcall" in shown
    assert "Trouble of another" not in shown
    assert "ROLLCALL_COLLECTOR_ALERTS_FILE" in shown
    told = client.get("/alerts.json?source=product").json()
    assert told["going_on"] == 2
    assert [row["about"] for row in told["tables"]["alerts"]] == ["collector", "source"]
    assert [row["state"] for row in told["tables"]["messages"]] == ["waiting", "waiting"]
    watched = PageClient(troubled, ALERTS_FILE="/nowhere")
    assert "ROLLCALL_COLLECTOR_ALERTS_FILE" not in watched.get("/alerts").text


def test_an_admin_sets_the_limits_of_one_source(troubled: Stores, client: PageClient) -> None:
    users.add_user(troubled.control, "root", "admin", PASSWORD, 0)
    cookie = client.sign_in("root", PASSWORD)
    token = client.get("/alerts?source=product", cookie=cookie).token
    fields = {"token": token, "source": "product", **TYPED}
    assert client.post("/alerts/limits", fields, cookie=cookie).header("location") == "/alerts?source=product"
    assert limits_of(troubled.control, 1) == {name: int(text) for name, text in TYPED.items()}
    assert limits_of(troubled.control, 2) == {limit.name: limit.default for limit in LIMITS}
    assert latest_entries(troubled.control, 1)[0][1:4] == ("root", "set alert limits", "product")
    for wrong in (
        {"help_hours": "-1"},
        {"help_hours": "9" * 5000},
        {"help_hours": ""},
        {"active_drop": "101"},
        {"source": "none"},
    ):
        assert client.post("/alerts/limits", fields | wrong, cookie=cookie).status == 400
    assert limits_of(troubled.control, 1)["help_hours"] == int(TYPED["help_hours"])


def test_nobody_else_sets_limits(troubled: Stores, client: PageClient, viewer: str, helper: str) -> None:
    for name in (viewer, helper):
        cookie = client.sign_in(name, PASSWORD)
        shown = client.get("/alerts?source=product", cookie=cookie)
        assert "Set the limits" not in shown.text
        fields = {"token": client.get("/account", cookie=cookie).token, "source": "product", **TYPED}
        assert client.post("/alerts/limits", fields, cookie=cookie).status == 403
    assert limits_of(troubled.control, 1)["success_drop"] == LIMITS[0].default

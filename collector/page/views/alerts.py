"""Alerts: what is wrong, what was, and the messages about it."""

from __future__ import annotations

from typing import Any

from collector.alerts.book import latest_alerts
from collector.alerts.limits import LIMITS, limits_of
from collector.alerts.messages import latest_messages
from collector.alerts.troubles import SERVER
from collector.page.listing import Listing, list_rows
from collector.page.view_types import ViewRequest, ViewResult, ViewTable, time_text

MOST_ROWS = 500


def show_alerts(view: ViewRequest) -> ViewResult:
    """The troubles and messages of a source, and those of the collector itself."""
    control, source = view.stores.control, view.source.id
    alerts = latest_alerts(control, source, MOST_ROWS)
    messages = latest_messages(control, (source, SERVER), MOST_ROWS)
    going_on = sum(alert.ended is None for alert in alerts)
    tables = (
        ViewTable(
            "alerts",
            "Alerts",
            ("alert", "detail", "about", "began", "ended"),
            [
                (one.title, one.detail, _about(one.source), time_text(one.began), time_text(one.ended))
                for one in alerts
            ],
        ),
        ViewTable(
            "messages",
            "Messages",
            ("kind", "message", "made", "state", "settled", "tries"),
            [
                (one.kind, one.title, time_text(one.made), one.state, time_text(one.settled), one.tries)
                for one in messages
            ],
        ),
    )
    lists: dict[str, Listing[Any]] = {
        "alerts": list_rows(view, tables[0], alerts),
        "messages": list_rows(view, tables[1], messages),
    }
    limits = limits_of(control, source)
    context = {
        "lists": lists,
        "limits": [(limit, limits[limit.name]) for limit in LIMITS],
    }
    data = {"going_on": going_on, "limits": limits}
    return ViewResult("alerts", "Alerts", data, tuple(one.table for one in lists.values()), context)


def _about(source: int) -> str:
    return "collector" if source == SERVER else "source"

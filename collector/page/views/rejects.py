"""Rejected events: why, how many, and from which library."""

from __future__ import annotations

from collector.page.listing import list_rows
from collector.page.queries import rejects
from collector.page.view_types import ViewRequest, ViewResult, ViewTable, time_text

MOST_ROWS = 500


def show_rejects(view: ViewRequest) -> ViewResult:
    """What the collector could not take, with a sample of the reason and nothing of the events."""
    found = rejects.rejected_events(view.stores.control, view.source.id, view.period, MOST_ROWS)
    total = rejects.count_rejected(view.stores.control, view.source.id, view.period)
    rows = [(one.code, one.library, one.count, one.message, time_text(one.last)) for one in found]
    table = ViewTable("rejects", "Rejected events", ("code", "library", "events", "message", "last"), rows)
    listed = list_rows(view, table, found)
    return ViewResult(
        "rejects", "Rejected", {"rejected": total}, (listed.table,), {"list": listed, "total": total}
    )

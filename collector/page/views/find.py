"""Find: the instances and runs whose id begins as somebody typed it."""

from __future__ import annotations

from collector.base.ids import as_uuid
from collector.page.queries.short_ids import instance_keys, run_keys
from collector.page.view_types import PAGE_ROWS, ViewRequest, ViewResult, ViewTable


def show_found(view: ViewRequest) -> ViewResult:
    """Instances and runs by a whole id, by its beginning, or by the reference of a request for help."""
    text = view.query.get("id", "").strip()
    events, source = view.events, view.source.id
    found = [("instance", as_uuid(key)) for key in instance_keys(events, source, text, PAGE_ROWS)]
    found += [("run", as_uuid(key)) for key in run_keys(events, source, text, PAGE_ROWS)]
    table = ViewTable("found", "Found", ("kind", "id"), found)
    return ViewResult("find", "Find", {}, (table,), {"found": found, "text": text, "most": PAGE_ROWS})

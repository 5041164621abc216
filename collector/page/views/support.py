"""Support: who asked for help, after which run, and whether somebody has answered."""

from __future__ import annotations

from collector.base.ids import key_of
from collector.page.queries.help import list_requests
from collector.page.request import PageError
from collector.page.view_types import ViewRequest, ViewResult, ViewTable, id_text, time_text
from collector.store.answers import answer_request, reopen_request

MOST_REQUESTS = 200
REFUSAL = "Requests for help contain e-mail addresses. Only users with the role support can see them."


def show_requests(view: ViewRequest) -> ViewResult:
    """Requests for help; who has waited longest comes first."""
    _require(view)
    requests = list_requests(view.events, view.source.id, view.help_requests, MOST_REQUESTS)
    rows = [
        (
            one.run.reference,
            one.run.email,
            time_text(one.run.asked),
            id_text(one.run.id),
            one.run.place.script or None,
            one.run.line,
            one.run.place.end or None,
            time_text(one.answered),
            one.answered_by,
        )
        for one in requests
    ]
    columns = ("reference", "email", "asked", "run", "script", "line", "end", "answered", "answered_by")
    waiting = len(view.help_requests.waiting)
    table = ViewTable("requests", "Requests for help", columns, rows)
    return ViewResult(
        "support", "Support", {"waiting": waiting}, (table,), {"requests": requests, "waiting": waiting}
    )


def update_request(view: ViewRequest) -> str:
    """Mark a request as answered, or as waiting again; returns where to go next."""
    _require(view)
    form = view.request.form
    run = key_of(form.get("run", ""))
    if form.get("answered") == "yes":
        answer_request(view.stores.control, view.source.id, run, view.visitor.name, view.now)
    else:
        reopen_request(view.stores.control, view.source.id, run)
    return view.url("/support")


def _require(view: ViewRequest) -> None:
    if not view.visitor.may_help:
        raise PageError(403, REFUSAL)

"""Support: who asked for help, after which run, and whether somebody answered."""

from __future__ import annotations

from collector.base.ids import key_of
from collector.page.look import Look, Shown, Table, told_id, told_time
from collector.page.queries import events
from collector.page.request import PageError

MOST_REQUESTS = 200
REFUSAL = "Requests for help are for users with the role support: they bear e-mail addresses."


def show(look: Look) -> Shown:
    """Requests for help, those that wait first."""
    _require(look)
    requests = events.requests(look.store, look.source.id, MOST_REQUESTS)
    rows = [
        (
            one.run.reference,
            one.run.email,
            told_time(one.run.asked),
            told_id(one.run.id),
            one.run.place.script or None,
            one.run.line,
            one.run.place.end or None,
            told_time(one.answered),
            one.answered_by,
        )
        for one in requests
    ]
    columns = ("reference", "email", "asked", "run", "script", "line", "end", "answered", "answered_by")
    waiting = events.waiting(look.store, look.source.id)
    table = Table("requests", "Requests for help", columns, rows)
    return Shown(
        "support", "Support", {"waiting": waiting}, (table,), {"requests": requests, "waiting": waiting}
    )


def change(look: Look) -> str:
    """Mark a request as answered, or as waiting again; returns where to go next."""
    _require(look)
    form = look.request.form
    run = key_of(form.get("run", ""))
    if form.get("answered") == "yes":
        events.answer(look.store, look.source.id, run, look.visitor.name, look.now)
    else:
        events.reopen(look.store, look.source.id, run)
    return look.url("/support")


def _require(look: Look) -> None:
    if not look.visitor.may_help:
        raise PageError(403, REFUSAL)

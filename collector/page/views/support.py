"""Support: who asked for help, after which run, and whether somebody has answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collector.base.ids import key_of
from collector.page.order import ListOrder, list_order
from collector.page.queries.help import (
    MOST_WAITING,
    SHOWN,
    STILL_STUCK,
    HelpRequest,
    StillStuck,
    every_request,
    find_still_stuck,
    list_requests,
    requests_by_time,
)
from collector.page.queries.whole import follow
from collector.page.request import PageError
from collector.page.view_types import (
    PAGE_ROWS,
    PIECE_ROWS,
    Rows,
    ViewRequest,
    ViewResult,
    ViewTable,
    end_text,
    id_text,
    time_text,
)
from collector.store.answers import answer_request, reopen_request
from collector.store.runs import LATEST, NO_RUN, Run, RunsEnd

COLUMNS = (
    *("reference", "email", "asked", "run", "script", "line", "end", "answered", "answered_by"),
    *("version", "instance", "still_stuck"),
)
_WORDS = {True: "yes", False: "no", None: None}
REFUSAL = "Requests for help contain e-mail addresses. Only users with the role support can see them."


def show_requests(view: ViewRequest) -> ViewResult:
    """Requests for help; who has waited longest comes first, unless they are sorted by time."""
    _require(view)
    shown, order = _shown(view), _order(view)
    waiting = view.events.find_runs(view.source.id, view.help_requests.waiting)
    stuck = find_still_stuck(view.stores, view.source.id, waiting, view.now)

    every = _still_stuck(waiting, stuck, order)
    if shown == STILL_STUCK:
        requests, older = _page(view, every)
    else:
        requests, older = _by_time(view, order) if order.sort else _longest_first(view, shown)

    def whole() -> Iterator[Rows]:
        return iter([_rows(every, stuck)]) if shown == STILL_STUCK else _whole(view, stuck)

    table = ViewTable("requests", "Requests for help", COLUMNS, _rows(requests, stuck), whole)
    data = {
        "waiting": len(view.help_requests.waiting),
        "still_stuck_at_least": len(every),
        "oldest": time_text(min((run.asked for run in waiting if run.asked), default=None)),
    }
    context = {
        "requests": requests,
        "stuck": stuck,
        "longest": view.now - min((run.asked for run in waiting if run.asked), default=view.now),
        "older": older,
        "most": MOST_WAITING,
        "shown": shown,
        "shows": SHOWN,
        "order": order,
    }
    return ViewResult("support", "Support", data, (table,), context)


def _still_stuck(waiting: Sequence[Run], stuck: StillStuck, order: ListOrder) -> list[HelpRequest]:
    """Those of the counted requests whose instances are still stuck."""
    found = sorted(
        (run for run in waiting if stuck.of(run)),
        key=lambda run: (run.asked or 0, run.id),
        reverse=order.sort.startswith("-"),
    )
    return [HelpRequest(run, None, None) for run in found]


def _page(view: ViewRequest, every: list[HelpRequest]) -> tuple[list[HelpRequest], str | None]:
    """One page of requests that are all known, and `before` of the next one."""
    start = view.before[0] if "before" in view.query else 0
    later = start + PAGE_ROWS
    return every[start:later], str(later) if later < len(every) else None


def _longest_first(view: ViewRequest, shown: str) -> tuple[list[HelpRequest], str | None]:
    """One page of the requests in their own order, and `before` of the next one."""
    start = view.before[0] if "before" in view.query else 0
    requests = list_requests(view.events, view.source.id, view.help_requests, shown, start, PAGE_ROWS)
    later = start + PAGE_ROWS
    return requests, str(later) if later < len(view.help_requests.shown(shown)) else None


def _by_time(view: ViewRequest, order: ListOrder) -> tuple[list[HelpRequest], str | None]:
    """The same of the requests by the time at which somebody asked."""
    requests, end = _ask(view, order, order.start(view, NO_RUN, LATEST), PAGE_ROWS)
    return requests, end_text(end) if end else None


def _ask(
    view: ViewRequest, order: ListOrder, end: RunsEnd, most: int
) -> tuple[list[HelpRequest], RunsEnd | None]:
    before, after = order.ends(end, LATEST)
    return requests_by_time(view.stores, view.source.id, _shown(view), before, most, after)


def _order(view: ViewRequest) -> ListOrder:
    """The order that the address names; its `sort` is empty if it names none."""
    if view.query.get("requests.sort"):
        return list_order(view, "requests", "asked", "requests")
    return ListOrder("requests", "requests", "")


def _whole(view: ViewRequest, stuck: StillStuck) -> Iterator[Rows]:
    """Every request that is shown."""
    order = _order(view)

    def rows(requests: Sequence[HelpRequest]) -> Rows:
        return _rows(requests, stuck)

    if order.sort:
        start = order.start(view, NO_RUN, LATEST)
        return map(rows, follow(lambda end: _ask(view, order, end, PIECE_ROWS), start))
    return map(rows, every_request(view.stores, view.source.id, _shown(view), PIECE_ROWS))


def _shown(view: ViewRequest) -> str:
    shown = view.query.get("show") or SHOWN[0]
    if shown not in SHOWN:
        raise PageError(400, f"`show` must be one of {', '.join(SHOWN)}.")
    return shown


def _rows(requests: Sequence[HelpRequest], stuck: StillStuck) -> Rows:
    return [
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
            one.run.version,
            id_text(one.run.instance),
            None if one.answered else _WORDS[stuck.of(one.run)],
        )
        for one in requests
    ]


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

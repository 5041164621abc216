"""Events: the latest ones, each with its JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from collector.base.ids import as_uuid
from collector.page.event_json import compact_json, indented_json
from collector.page.order import ListOrder, list_order
from collector.page.queries.short_ids import instance_keys, meant
from collector.page.queries.whole import read_on
from collector.page.view_types import (
    PAGE_BYTES,
    PAGE_ROWS,
    Rows,
    ViewRequest,
    ViewResult,
    ViewTable,
    id_text,
    time_text,
)
from collector.store.values import FIRST_PAGE, NO_PAGE, PageEnd, StoredEvent

COLUMNS = ("time", "received", "type", "event", "instance", "run", "json")
MOST_NAMES = 100
# Events that the whole list reads at a time: a stranger's have 32 KiB each.
PIECE_EVENTS = 100
REFRESH_SECONDS = 5


def show_events(view: ViewRequest) -> ViewResult:
    """The latest events, or the oldest; by name, by instance."""
    order = list_order(view, "events", "time", "events")
    start = FIRST_PAGE if order.oldest_first and view.before == NO_PAGE else view.before
    name, who = view.query.get("event", ""), view.query.get("instance", "").strip()
    key = meant(instance_keys(view.events, view.source.id, who, 2), who)
    ask = partial(_find, view, name, key if who else None, order)
    found = ask(PAGE_ROWS + 1, start)
    shown = first_page(found)
    # A list of an instance may be short, and go on.
    more = len(found) > len(shown) or bool(key and who and shown and ask(1, shown[-1].end))
    helps = view.visitor.may_help
    rows, end = _rows(view, shown), shown[-1].end if shown else None
    table = ViewTable(
        "events", "Events", COLUMNS, rows, lambda: _whole(view, partial(ask, PIECE_EVENTS), rows, end)
    )
    names = view.events.event_names(view.source.id, MOST_NAMES)
    older = "{}.{}".format(*shown[-1].end) if more else None
    context = {
        "events": [(event, indented_json(event.body, reveal=helps)) for event in shown],
        "names": names if not name or name in names else [name, *names],
        "name": name,
        "who": who,
        "key": as_uuid(key),
        "older": older,
        "order": order,
        "live": view.query.get("live") == "1",
        "refresh": REFRESH_SECONDS if view.query.get("live") == "1" else None,
    }
    return ViewResult("events", "Events", {}, (table,), context)


def first_page(found: list[StoredEvent]) -> list[StoredEvent]:
    """As many of the events as one page shows: so many rows or bytes, and at least one."""
    size = 0
    for number, event in enumerate(found[:PAGE_ROWS]):
        size += len(event.body)
        if number and size > PAGE_BYTES:
            return found[:number]
    return found[:PAGE_ROWS]


def _find(
    view: ViewRequest, name: str, who: bytes | None, order: ListOrder, most: int, end: PageEnd
) -> list[StoredEvent]:
    source, oldest_first = view.source.id, order.oldest_first
    if who:
        return view.events.events_of_instance(source, who, name, end, most, oldest_first=oldest_first)
    if name:
        return view.events.events_named(source, name, end, most, oldest_first=oldest_first)
    return view.events.latest_events(source, end, most, oldest_first=oldest_first)


def _whole(
    view: ViewRequest, ask: Callable[[PageEnd], list[StoredEvent]], rows: Rows, end: PageEnd | None
) -> Iterator[Rows]:
    """Every event of the list: those that are shown, and those after them."""
    yield rows
    if end is not None:
        for found in read_on(ask, end, lambda event: event.end):
            yield _rows(view, found)


def _rows(view: ViewRequest, events: Sequence[StoredEvent]) -> Rows:
    return [
        (
            time_text(e.time),
            time_text(e.received),
            e.type,
            e.name,
            id_text(e.who),
            id_text(e.run),
            compact_json(e.body, reveal=view.visitor.may_help),
        )
        for e in events
    ]

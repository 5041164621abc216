"""Lists of runs: a page of one as HTML and JSON, the whole of it as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from collector.base.times import DAY_MS
from collector.page.order import ListOrder, list_order
from collector.page.queries.whole import follow
from collector.page.request import PageError
from collector.page.view_types import (
    PAGE_ROWS,
    PIECE_ROWS,
    Cell,
    Rows,
    ViewRequest,
    ViewTable,
    end_text,
    id_text,
    time_text,
)
from collector.store.runs import NO_RUN, RUN_STATES, Place, Run, RunFilter, RunsEnd

# The page of a list before one end, or after another and up to the first; and where the list goes on.
Ask = Callable[[RunsEnd, RunsEnd | None, int], tuple[list[Run], RunsEnd | None]]

RUN_COLUMNS = (
    *("run", "began", "state", "version", "os"),
    *("script", "line", "command", "end", "duration_ms", "instance", "ended", "asked_for_help"),
)


@dataclass(frozen=True)
class RunList:
    """One page of a list of runs."""

    shown: list[Run]
    older: str | None  # `before` of the next page
    table: ViewTable
    order: ListOrder
    is_whole: bool  # no other page has any


def run_list(
    view: ViewRequest, wanted: RunFilter, title: str, anchor: str, *, oldest_first: bool = False
) -> RunList:
    """The page that the address asks for, of runs that began within the period."""
    source, since = view.source.id, view.period.first * DAY_MS

    def ask(before: RunsEnd, after: RunsEnd | None, most: int) -> tuple[list[Run], RunsEnd | None]:
        return view.events.list_runs(source, wanted, since, before, view.now, most, after)

    return _run_list(view, ask, title, list_order(view, "runs", "began", anchor, oldest_first=oldest_first))


def list_of_failures(view: ViewRequest, places: Sequence[Place], title: str, anchor: str) -> RunList:
    """The same of runs that failed at one of these places."""
    source, since = view.source.id, view.period.first * DAY_MS

    def ask(before: RunsEnd, after: RunsEnd | None, most: int) -> tuple[list[Run], RunsEnd | None]:
        found = [
            run
            for place in places
            for run in view.events.runs_failed_at(source, place, since, before, most + 1, after)
        ]
        found.sort(key=_end, reverse=after is None)
        return found[:most], _end(found[most - 1]) if len(found) > most else None

    return _run_list(view, ask, title, list_order(view, "runs", "began", anchor))


def start_of_list(view: ViewRequest) -> RunsEnd:
    """After the runs that began within the period."""
    return min(view.now + 1, view.period.until_ms), b""


def filter_of(view: ViewRequest, state: str | None = None) -> RunFilter:
    """The filter in the address."""
    state = view.query.get("state", "") if state is None else state
    if state and state not in RUN_STATES:
        raise PageError(400, f"`state` must be one of {', '.join(RUN_STATES)}.")
    return RunFilter(state, view.asked_word("version"), view.asked_word("system"))


def _run_list(view: ViewRequest, ask: Ask, title: str, order: ListOrder) -> RunList:
    high = start_of_list(view)
    start = order.start(view, NO_RUN, high)
    shown, end = ask(*order.ends(start, high), PAGE_ROWS)

    def whole() -> Iterator[Rows]:
        pages = follow(lambda end: ask(*order.ends(end, high), PIECE_ROWS), start)
        return (_rows(runs, view.now) for runs in pages)

    table = ViewTable("runs", title, RUN_COLUMNS, _rows(shown, view.now), whole)
    is_whole = end is None and start == (NO_RUN if order.oldest_first else high)
    return RunList(shown, end_text(end) if end else None, table, order, is_whole)


def runs_table(name: str, title: str, runs: list[Run], now: int) -> ViewTable:
    """Runs that are all of a short list."""
    return ViewTable(name, title, RUN_COLUMNS, _rows(runs, now))


def _end(run: Run) -> RunsEnd:
    return run.began or 0, run.id


def _rows(runs: Sequence[Run], now: int) -> Rows:
    return [_run_row(run, now) for run in runs]


def _run_row(run: Run, now: int) -> tuple[Cell, ...]:
    """One run for programs, in the order of RUN_COLUMNS."""
    place = run.place
    return (
        id_text(run.id),
        time_text(run.began),
        run.state(now),
        run.version,
        f"{run.os} {run.os_version}".strip(),
        place.script or None,
        run.line,
        place.command or None,
        place.end or None,
        run.duration,
        id_text(run.instance),
        time_text(run.ended),
        time_text(run.asked),
    )

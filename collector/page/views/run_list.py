"""Lists of runs: a page of one as HTML and JSON, the whole of it as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from collector.page.queries.whole import read_on
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
from collector.store.runs import Run, RunsEnd

RUN_COLUMNS = (
    *("run", "began", "state", "version", "os"),
    *("script", "line", "command", "end", "duration_ms", "instance"),
)


@dataclass(frozen=True)
class RunList:
    """One page of a list of runs."""

    shown: list[Run]
    older: str | None  # `before` of the next page
    table: ViewTable


def run_list(view: ViewRequest, ask: Callable[[RunsEnd, int], list[Run]], title: str) -> RunList:
    """The page that the address asks for, of runs that began before the period ended."""
    start = min(view.before_id, (min(view.now + 1, view.period.until_ms), b""))
    found = ask(start, PAGE_ROWS + 1)
    shown = found[:PAGE_ROWS]
    older = end_text(_end(shown[-1])) if len(found) > len(shown) else None

    def whole() -> Iterator[Rows]:
        return (_rows(runs, view.now) for runs in read_on(lambda end: ask(end, PIECE_ROWS), start, _end))

    return RunList(shown, older, ViewTable("runs", title, RUN_COLUMNS, _rows(shown, view.now), whole))


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
    )

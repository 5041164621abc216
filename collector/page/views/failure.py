"""One place where installs fail; or one step, which stands at another line in each version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from collector.base.environments import ALL
from collector.page import charts
from collector.page.charts import Series
from collector.page.request import PageError
from collector.page.view_types import Cell, ViewRequest, ViewResult, ViewTable, days_text, time_text
from collector.page.views.marks import chart_marks
from collector.page.views.run_list import list_of_failures
from collector.page.views.steps import MOST_FAILED
from collector.store.runs import Failure, Place

# A step is followed through so many lines.
MOST_LINES = 20
FAILURE_COLUMNS = ("script", "line", "command", "end", "runs", "instances", "first_seen", "last_seen")


def show_failure(view: ViewRequest) -> ViewResult:
    """The runs that failed at the place in the address, and at the other lines of `also`."""
    query = view.query
    place = Place(
        query.get("script", ""), query.get("line", ""), query.get("command", ""), query.get("end", "")
    )
    lines = dict.fromkeys((place.line, *query.get("also", "").split()[:MOST_LINES]))
    places = [replace(place, line=line) for line in lines]
    found = _find_step(view, places)
    days = view.period.bars()
    by_bar = [sum(counts) for counts in zip(*bars_of(view, places).values(), strict=True)]
    rows = [(days_text(*bar), n) for bar, n in zip(days, by_bar, strict=True)]
    table = ViewTable("over_time", "Failures here", ("day", "failed"), rows)
    chart = charts.bar_chart(
        table, days, (Series("failed", "bad", by_bar),), view.period.first, chart_marks(view)
    )
    runs = list_of_failures(view, places, "Runs that failed here", "runs")
    data = dict(zip(FAILURE_COLUMNS, failure_row(found), strict=True))
    context = {"failure": found, "chart": chart, "lines": list(lines)[1:]}
    context |= {"runs": runs.shown, "older": runs.older, "order": runs.order}
    return ViewResult("failure", "Failure", data, (runs.table, table), context)


def failure_row(one: Failure) -> tuple[Cell, ...]:
    """A failure for programs, in the order of FAILURE_COLUMNS."""
    place = (one.place.script, one.place.line, one.place.command, one.place.end)
    return (*place, one.runs, one.instances, time_text(one.first_seen), time_text(one.last_seen or None))


def bars_of(view: ViewRequest, places: Sequence[Place]) -> dict[str, list[int]]:
    """Failures at these places, by the keys of these, in the bars of a chart."""
    bars = view.period.bars()
    by_day = view.events.failure_trends(view.source.id, bars[0][0], view.period.last, places)
    return {
        key: [sum(days.get(day, 0) for day in range(first, last + 1)) for first, last in bars]
        for key, days in by_day.items()
    }


def _find_step(view: ViewRequest, places: Sequence[Place]) -> Failure:
    """The failures at all of these places; those at the first one, if they are alone."""
    found = [one for place in places if (one := _find_failure(view, place))]
    if not found:
        raise PageError(404, "No install has failed at this place.")
    if len(places) == 1:
        return found[0]
    failed = view.events.failed_runs(view.source.id, *view.period.ends, MOST_FAILED)
    instances = frozenset[bytes]().union(*(one.instances for one in failed if one.place in places))
    runs, last_seen = sum(one.runs for one in found), max(one.last_seen for one in found)
    return Failure(places[0], runs, len(instances), last_seen, min(one.first_seen for one in found))


def _find_failure(view: ViewRequest, place: Place) -> Failure | None:
    """The failures at a place; none of them in this environment if it was in others alone."""
    found = view.events.find_failure(view.source.id, *view.period.ends, place)
    if found is None:
        elsewhere = view.events.within(ALL).find_failure(view.source.id, *view.period.ends, place)
        return replace(elsewhere, runs=0, instances=0, last_seen=0) if elsewhere else None
    return found

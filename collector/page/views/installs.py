"""Installs: results by version and system, where they fail, and one run in detail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from collector.base.environments import ALL
from collector.base.ids import as_uuid
from collector.page import charts
from collector.page.analysis.release_order import in_release_order, outliers
from collector.page.charts import Series
from collector.page.event_json import compact_json, indented_json
from collector.page.listing import Listing, list_rows
from collector.page.period import iso
from collector.page.queries.short_ids import meant, run_keys
from collector.page.request import PageError
from collector.page.view_types import PAGE_ROWS, Cell, ViewRequest, ViewResult, ViewTable, id_text, time_text
from collector.page.views.events import first_page
from collector.page.views.marks import chart_marks
from collector.page.views.over_time import counts_table, installs_over_time
from collector.page.views.run_list import filter_of, list_of_failures, run_list, runs_table
from collector.store.runs import RUN_STATES, Failure, Place
from collector.store.words import OTHER

MOST_FAILURES = 30


def show_installs(view: ViewRequest) -> ViewResult:
    source, period = view.source.id, view.period
    runs = installs_over_time(view, chart_marks(view))
    versions = view.events.run_counts_by_word(source, "version", *period.ends, view.now)
    latest_first = in_release_order(word for word, _ in versions if word != OTHER)
    places = {word: number for number, word in enumerate(latest_first)}
    versions.sort(key=lambda one: places.get(one[0], len(places)))
    systems = view.events.run_counts_by_word(source, "system", *period.ends, view.now)
    failures = view.events.worst_failures(source, *period.ends, MOST_FAILURES)
    elsewhere = max(0, runs.now.failed - sum(one.runs for one in failures))
    wanted = filter_of(view)
    latest = run_list(view, wanted, "Runs", "latest")
    worst = ViewTable(
        "failures", "Where installs fail", FAILURE_COLUMNS, [_failure_row(one) for one in failures]
    )
    lists: dict[str, Listing[Any]] = {
        "failures": list_rows(view, worst, failures),
        "versions": list_rows(view, counts_table("versions", "By version", "version", versions), versions),
        "systems": list_rows(view, counts_table("systems", "By operating system", "os", systems), systems),
    }
    tables = (*(one.table for one in lists.values()), latest.table, *runs.tables)
    by_day = _trends(view, [one.place for one in failures])
    trends = {key: charts.sparkline(_by_bar(view, days)) for key, days in by_day.items()}
    context = {
        "installs": runs,
        "lists": lists,
        "trends": trends,
        "outliers": outliers({word: counts.started for word, counts in versions}) - {OTHER},
        "wanted": wanted,
        "states": RUN_STATES,
        "elsewhere": elsewhere,
        "runs": latest.shown,
        "older": latest.older,
        "order": latest.order,
    }
    data = {"installs": runs.data, "failed_elsewhere": elsewhere}
    return ViewResult("installs", "Installs", data, tables, context)


def show_failure(view: ViewRequest) -> ViewResult:
    query = view.query
    place = Place(
        query.get("script", ""), query.get("line", ""), query.get("command", ""), query.get("end", "")
    )
    found = _find_failure(view, place)
    days = view.period.bars()
    by_bar = _by_bar(view, _trends(view, [place])[place.key])
    rows = [(iso(last), n) for (_, last), n in zip(days, by_bar, strict=True)]
    table = ViewTable("over_time", "Failures here", ("day", "failed"), rows)
    chart = charts.bar_chart(
        table, days, (Series("failed", "bad", by_bar),), view.period.first, chart_marks(view)
    )
    runs = list_of_failures(view, place, "Runs that failed here", "runs")
    data = dict(zip(FAILURE_COLUMNS, _failure_row(found), strict=True))
    context = {"failure": found, "chart": chart}
    context |= {"runs": runs.shown, "older": runs.older, "order": runs.order}
    return ViewResult("failure", "Failure", data, (runs.table, table), context)


def _find_failure(view: ViewRequest, place: Place) -> Failure:
    """The failures at a place; none of them in this environment if it was in others alone."""
    found = view.events.find_failure(view.source.id, *view.period.ends, place)
    if found is None:
        elsewhere = view.events.within(ALL).find_failure(view.source.id, *view.period.ends, place)
        if elsewhere is None:
            raise PageError(404, "No install has failed at this place.")
        found = replace(elsewhere, runs=0, instances=0, last_seen=0)
    return found


def show_run(view: ViewRequest, run_id: str) -> ViewResult:
    """One run, by its `context.installation.id` or the beginning of it."""
    keys = run_keys(view.events, view.source.id, run_id, 2)
    run = view.events.find_run(view.source.id, meant(keys, run_id))
    if run is None:
        raise PageError(404, "No run with this id has reported.")
    found = view.events.events_of_run(view.source.id, run.id, PAGE_ROWS + 1)
    sent = first_page(found)
    others = [
        one
        for one in view.events.runs_of_instance(view.source.id, run.instance, PAGE_ROWS)
        if one.id != run.id
    ]
    instance = view.events.find_instance(view.source.id, run.instance)
    helps = view.visitor.may_help
    shown = [(event, indented_json(event.body, reveal=helps)) for event in sent]
    rows = [
        (time_text(e.time), e.name, time_text(e.received), compact_json(e.body, reveal=helps)) for e in sent
    ]
    data = {
        "run": as_uuid(run.id),
        "instance": id_text(run.instance),
        "state": run.state(view.now),
        "has_more_events": len(found) > len(sent),
        "asked_for_help": time_text(run.asked),
        "email": run.email if helps else None,
        "reference": run.reference if helps else None,
    }
    tables = (
        ViewTable("events", "What it sent", ("time", "event", "received", "json"), rows),
        runs_table("others", "Other runs of this instance", others, view.now),
        runs_table("run", "This run", [run], view.now),
    )
    context = {
        "run": run,
        "events": shown,
        "others": others,
        "instance": instance,
        "state": run.state(view.now),
    }
    return ViewResult("run", "One run", data, tables, context)


FAILURE_COLUMNS = ("script", "line", "command", "end", "runs", "instances", "first_seen", "last_seen")


def _failure_row(one: Failure) -> tuple[Cell, ...]:
    place = (one.place.script, one.place.line, one.place.command, one.place.end)
    return (*place, one.runs, one.instances, time_text(one.first_seen), time_text(one.last_seen or None))


def _trends(view: ViewRequest, places: Sequence[Place]) -> dict[str, dict[int, int]]:
    """Failures at these places, over the days of a chart."""
    return view.events.failure_trends(view.source.id, view.period.bars()[0][0], view.period.last, places)


def _by_bar(view: ViewRequest, by_day: dict[int, int]) -> list[int]:
    return [sum(by_day.get(day, 0) for day in range(first, last + 1)) for first, last in view.period.bars()]

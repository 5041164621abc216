"""Installs: results by version and system, where they fail; and one run in detail."""

from __future__ import annotations

from typing import Any

from collector.base.ids import as_uuid
from collector.page import charts
from collector.page.analysis.release_order import in_release_order, outliers
from collector.page.event_json import compact_json, indented_json
from collector.page.listing import Listing, list_rows
from collector.page.queries.short_ids import meant, run_keys
from collector.page.request import PageError
from collector.page.view_types import PAGE_ROWS, ViewRequest, ViewResult, ViewTable, id_text, time_text
from collector.page.views.events import first_page
from collector.page.views.failure import FAILURE_COLUMNS, bars_of, failure_row
from collector.page.views.marks import chart_marks
from collector.page.views.over_time import counts_table, installs_over_time
from collector.page.views.run_list import filter_of, run_list, runs_table
from collector.store.runs import RUN_STATES
from collector.store.words import OTHER

MOST_FAILURES = 30


def show_installs(view: ViewRequest) -> ViewResult:
    source, period = view.source.id, view.period
    runs = installs_over_time(view, chart_marks(view))
    versions = view.events.run_counts_by_word(source, "version", *period.ends, view.now)
    odd = outliers({word: counts.started for word, counts in versions}) - {OTHER}
    latest_first = in_release_order((word for word, _ in versions if word != OTHER), odd)
    places = {word: number for number, word in enumerate(latest_first)}
    versions.sort(key=lambda one: places.get(one[0], len(places)))
    systems = view.events.run_counts_by_word(source, "system", *period.ends, view.now)
    failures = view.events.worst_failures(source, *period.ends, MOST_FAILURES)
    elsewhere = max(0, runs.now.failed - sum(one.runs for one in failures))
    wanted = filter_of(view)
    latest = run_list(view, wanted, "Runs", "latest")
    worst = ViewTable(
        "failures", "Where installs fail", FAILURE_COLUMNS, [failure_row(one) for one in failures]
    )
    lists: dict[str, Listing[Any]] = {
        "failures": list_rows(view, worst, failures),
        "versions": list_rows(view, counts_table("versions", "By version", "version", versions), versions),
        "systems": list_rows(view, counts_table("systems", "By operating system", "os", systems), systems),
    }
    tables = (*(one.table for one in lists.values()), latest.table, *runs.tables)
    by_bar = bars_of(view, [one.place for one in failures])
    trends = {key: charts.sparkline(bars) for key, bars in by_bar.items()}
    context = {
        "installs": runs,
        "lists": lists,
        "trends": trends,
        "outliers": odd,
        "wanted": wanted,
        "states": RUN_STATES,
        "elsewhere": elsewhere,
        "runs": latest.shown,
        "older": latest.older,
        "order": latest.order,
    }
    data = {"installs": runs.data, "failed_elsewhere": elsewhere}
    return ViewResult("installs", "Installs", data, tables, context)


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

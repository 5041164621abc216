"""Installs: how they end by version and system, where they fail, and the story of one run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from collector.base.ids import as_uuid, key_of
from collector.page import bodies, charts
from collector.page.charts import Series
from collector.page.look import PAGE_ROWS, Cell, Look, Shown, Table, told_id, told_time
from collector.page.period import iso
from collector.page.queries import events, installs, instances
from collector.page.queries.installs import Counts, Failure, Place
from collector.page.request import PageError
from collector.page.views.figures import RUN_COLUMNS, installs_over_time, run_row, runs_table

System = tuple[str, str, str]  # version, os, os version

MOST_FAILURES = 30
MOST_LATEST = 25
MOST_EVENTS = 100
COUNTS = ("started", "succeeded", "failed", "given_up", "running", "success_rate")


def show(look: Look) -> Shown:
    """Installs of a period."""
    source, period = look.source.id, look.period
    runs = installs_over_time(look)
    systems = installs.by_system(look.store, source, period, look.now)
    versions = _grouped(systems, lambda key: key[0])
    by_os = _grouped(systems, lambda key: f"{key[1]} {key[2]}".strip())
    failures = installs.failures(look.store, source, period, MOST_FAILURES)
    until = min(look.now + 1, period.until_ms)
    latest = installs.latest(look.store, source, until, MOST_LATEST)
    tables = (
        Table("failures", "Where installs fail", FAILURE_COLUMNS, [_failure_row(one) for one in failures]),
        Table("versions", "By version", ("version", *COUNTS), [(name, *_counts(c)) for name, c in versions]),
        Table("systems", "By operating system", ("os", *COUNTS), [(name, *_counts(c)) for name, c in by_os]),
        runs_table("runs", "Latest runs", latest, look.now),
        *runs.tables,
    )
    by_day = installs.trends(look.store, source, period, [one.place for one in failures])
    trends = {key: charts.sparkline(_by_bar(look, days)) for key, days in by_day.items()}
    context = {
        "installs": runs,
        "failures": failures,
        "trends": trends,
        "versions": versions,
        "systems": by_os,
        "runs": latest,
    }
    return Shown("installs", "Installs", {"installs": runs.data}, tables, context)


def show_failure(look: Look) -> Shown:
    """One place where installs fail."""
    query = look.query
    place = Place(
        query.get("script", ""), query.get("line", ""), query.get("command", ""), query.get("end", "")
    )
    found = installs.failure(look.store, look.source.id, look.period, place)
    if found is None:
        raise PageError(404, "No installation failed there.")
    days = look.period.bars()
    by_bar = _by_bar(look, installs.trends(look.store, look.source.id, look.period, [place])[place.key])
    rows = [(iso(last), n) for (_, last), n in zip(days, by_bar, strict=True)]
    table = Table("over_time", "Failures here", ("day", "failed"), rows)
    chart = charts.bar_chart(table, days, (Series("failed", "bad", by_bar),), look.period.first)
    runs = installs.runs_at(look.store, look.source.id, place, PAGE_ROWS)
    data = dict(zip(FAILURE_COLUMNS, _failure_row(found), strict=True))
    tables = (runs_table("runs", "Latest runs that failed here", runs, look.now), table)
    return Shown("failure", "Failure", data, tables, {"failure": found, "chart": chart, "runs": runs})


def show_run(look: Look, run_id: str) -> Shown:
    """The story of one run, by its `context.installation.id`."""
    run = installs.run(look.store, look.source.id, key_of(run_id))
    if run is None:
        raise PageError(404, "No run of that id has reported here.")
    told = events.of_run(look.store, look.source.id, run.id, MOST_EVENTS)
    others = [
        one
        for one in installs.runs_of(look.store, look.source.id, run.instance, PAGE_ROWS)
        if one.id != run.id
    ]
    instance = instances.instance(look.store, look.source.id, run.instance)
    helps = look.visitor.may_help
    shown = [(event, bodies.pretty(event.body, reveal=helps)) for event in told]
    rows = [
        (told_time(e.time), e.name, told_time(e.received), bodies.compact(e.body, reveal=helps)) for e in told
    ]
    data = {
        "run": as_uuid(run.id),
        "instance": told_id(run.instance),
        "state": run.state(look.now),
        "asked_for_help": told_time(run.asked),
        "email": run.email if helps else None,
        "reference": run.reference if helps else None,
    }
    tables = (
        Table("events", "What it sent", ("time", "event", "received", "json"), rows),
        runs_table("others", "Other runs of this instance", others, look.now),
        Table("run", "This run", RUN_COLUMNS, [run_row(run, look.now)]),
    )
    context = {
        "run": run,
        "events": shown,
        "others": others,
        "instance": instance,
        "state": run.state(look.now),
    }
    return Shown("run", "One run", data, tables, context)


FAILURE_COLUMNS = ("script", "line", "command", "end", "runs", "instances", "first_seen", "last_seen")


def _failure_row(one: Failure) -> tuple[Cell, ...]:
    place = (one.place.script, one.place.line, one.place.command, one.place.end)
    return (*place, one.runs, one.instances, told_time(one.first_seen), told_time(one.last_seen or None))


def _by_bar(look: Look, by_day: dict[int, int]) -> list[int]:
    return [sum(by_day.get(day, 0) for day in range(first, last + 1)) for first, last in look.period.bars()]


def _grouped(systems: dict[System, Counts], name: Callable[[System], str]) -> list[tuple[str, Counts]]:
    """Counts under the names that systems go by, the most frequent first."""
    groups: dict[str, Counts] = defaultdict(Counts)
    for key, counts in systems.items():
        group = groups[name(key)]
        group.succeeded += counts.succeeded
        group.failed += counts.failed
        group.given_up += counts.given_up
        group.running += counts.running
    return sorted(groups.items(), key=lambda item: (-item[1].started, item[0]))


def _counts(counts: Counts) -> tuple[Cell, ...]:
    rate = None if counts.rate is None else round(counts.rate, 4)
    return (counts.started, counts.succeeded, counts.failed, counts.given_up, counts.running, rate)

"""Instances: new, returning, silent and gone ones, their versions, retention, and one in detail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from collector.page.analysis.release_order import in_release_order
from collector.page.charts import short_day
from collector.page.listing import list_rows
from collector.page.order import ListOrder, list_order
from collector.page.period import iso
from collector.page.queries.short_ids import instance_keys, meant
from collector.page.queries.whole import follow
from collector.page.request import PageError
from collector.page.view_types import (
    PAGE_ROWS,
    PIECE_ROWS,
    Cell,
    Rows,
    ViewRequest,
    ViewResult,
    ViewTable,
    end_text,
    id_text,
    time_text,
)
from collector.page.views.marks import chart_marks, release_days
from collector.page.views.over_time import active_chart
from collector.page.views.run_list import runs_table
from collector.store.fleet import ACTIVE, EARLIEST, LATEST, STATES, Instance, InstanceFilter, InstancesEnd
from collector.store.history import FleetHistory, on_day
from collector.store.spans import SLOT_MS, SLOTS_A_DAY, SPANS, week_of

FILTERS = ("all", *ACTIVE.values(), *STATES[:3], "new", "returning", "never", "short-lived")
# Of a period that is over, nobody can list these: they are those of today.
OF_TODAY = frozenset({*ACTIVE.values(), *STATES})
# Weeks of installation in the retention table.
MOST_COHORTS = 13
SHADES = 10


@dataclass(frozen=True)
class Cohort:
    """The instances first seen in one week, and the share that sent a heartbeat in each later week."""

    monday: int
    size: int
    shares: tuple[float, ...]

    def shade(self, share: float) -> int:
        return round(share * SHADES)


@dataclass(frozen=True)
class Gap:
    """A time without heartbeats, by its first and last slot of six hours."""

    first_slot: int
    last_slot: int

    @property
    def beats(self) -> int:
        return self.last_slot - self.first_slot + 1

    @property
    def began(self) -> int:
        return self.first_slot * SLOT_MS

    @property
    def ended(self) -> int:
        return (self.last_slot + 1) * SLOT_MS


def show_instances(view: ViewRequest) -> ViewResult:
    wanted = view.query.get("state", "all")
    if wanted not in FILTERS:
        raise PageError(400, f"`state` must be one of {', '.join(FILTERS)}.")
    now = view.period.is_now
    if not now and wanted in OF_TODAY:
        wanted = "all"
    census = view.census
    chosen = InstanceFilter(wanted, view.asked_word("version"), view.asked_word("system"))
    order = list_order(view, "instances", "last_seen", "list")
    listed, end = _list(view, chosen, order, order.start(view, EARLIEST, LATEST), PAGE_ROWS)
    days = release_days(view, view.period.last)
    chart, active = active_chart(view, chart_marks(view, days))
    cohorts = retention(view)
    states = {name: census.states[name, True] for name in STATES} if now else states_then(view)
    short_lived = sum(n for (_, lasting), n in census.states.items() if not lasting)
    lists = {name: list_rows(view, table, table.rows) for name, table in _words(view, days[1]).items()}
    older = end_text(end) if end else None
    new, returning = census.new(*view.period.ends), census.returning(view.period.first)
    counts = {"new": new, "returning": returning, **states, "short_lived": short_lived}
    data = {**counts, "instances_counted": time_text(census.at)}
    rows = _rows(view, listed)
    instances = ViewTable(
        "instances", "Instances", INSTANCE_COLUMNS, rows, lambda: _whole(view, chosen, order, rows, end)
    )
    tables = (instances, active, *(one.table for one in lists.values()), retention_table(cohorts))
    context = {
        "new": new,
        "returning": returning,
        "states": states,
        "short_lived": short_lived,
        "chart": chart,
        "lists": lists,
        "outliers": days[1],
        "is_now": now,
        "counted": now or view.history is not None,
        "cohorts": cohorts,
        "retention": tables[-1],
        "listed": [(one, _state(view, one)) for one in listed],
        "older": older,
        "order": order,
        "filters": FILTERS if now else [name for name in FILTERS if name not in OF_TODAY],
        "wanted": wanted,
    }
    return ViewResult("instances", "Instances", data, tables, context)


def states_then(view: ViewRequest) -> dict[str, int]:
    """The states of established instances at the end of a period that is over, by whole days."""
    day, source, week = view.period.last, view.source.id, week_of(view.period.last + 1)
    weeks = view.events.new_instances_by_week(source, 0)  # those that have expired since are among them
    known = sum(n for one, n in weeks.items() if one < week) + view.census.new(week * 7 - 3, day)
    that_day, month = (view.events.active_by_day(source, span, day, day)[day][1] for span in (1, SPANS[-1]))
    return {"beating": that_day, "silent": month - that_day, "gone": max(0, known - month)}


def _words(view: ViewRequest, odd: Collection[str]) -> dict[str, ViewTable]:
    """Versions, systems, and versions of Rollcall itself, at the end of the period."""
    if view.period.is_now:
        versions, systems = view.census.versions, view.census.systems
    else:
        history = view.history or FleetHistory()
        versions, systems = (on_day(one, view.period.last) for one in (history.versions, history.systems))
    by_release = [(word or "unknown", versions[word]) for word in in_release_order(versions, odd)]
    title = "{} at the last install".format
    return {
        "versions": ViewTable("versions", title("Versions"), ("version", "instances"), by_release),
        "systems": ViewTable("systems", title("Operating systems"), ("os", "instances"), _ranked(systems)),
        "agents": ViewTable(
            "agents", "Versions of Rollcall", ("version", "instances"), _ranked(_agents(view))
        ),
    }


def _agents(view: ViewRequest) -> Counter[str]:
    """Instances by version of the agent, on the last whole day of the period; today if that had none."""
    if not view.period.is_now:
        return view.events.agents_on(view.source.id, view.period.last)
    today = view.period.today
    return view.events.agents_on(view.source.id, today - 1) or view.events.agents_on(view.source.id, today)


def show_instance(view: ViewRequest, instance_id: str) -> ViewResult:
    keys = instance_keys(view.events, view.source.id, instance_id, 2)
    one = view.events.find_instance(view.source.id, meant(keys, instance_id))
    if one is None:
        raise PageError(404, "No instance with this id has reported.")
    first, last = view.period.first * SLOTS_A_DAY, _last_slot(view)
    gaps = gaps_of(one, first, last)
    runs = view.events.runs_of_instance(view.source.id, one.id, PAGE_ROWS)
    days = [
        (day, [_mark(one, day * SLOTS_A_DAY + n, last) for n in range(SLOTS_A_DAY)])
        for day in range(view.period.first, view.period.last + 1)
    ]
    beats = ViewTable(
        "timeline",
        "Heartbeats",
        ("day", "00-06", "06-12", "12-18", "18-24"),
        [(iso(day), *(mark or "" for mark in marks)) for day, marks in days],
    )
    told = [
        f"{short_day(day)}: {marks.count('beat')} received, {marks.count('missed')} missed"
        for day, marks in days
    ]
    gap_rows = [(time_text(g.began), time_text(g.ended), g.beats) for g in gaps]
    tables = (
        beats,
        ViewTable("gaps", "Gaps of two heartbeats or more", ("from", "until", "beats_missed"), gap_rows),
        runs_table("runs", "Runs of the installer", runs, view.now),
        ViewTable("instance", "This instance", INSTANCE_COLUMNS, [_row(one, one.state(view.now))]),
    )
    data = dict(zip(INSTANCE_COLUMNS, _row(one, one.state(view.now)), strict=True))
    context = {
        "one": one,
        "state": one.state(view.now),
        "days": days,
        "told": told,
        "gaps": gaps,
        "runs": runs,
        "beats": beats,
    }
    return ViewResult("instance", "One instance", data, tables, context)


def retention(view: ViewRequest) -> list[Cohort]:
    """The last weeks of installation up to the period's end, the newest first."""
    this_week = week_of(view.period.last)
    first = this_week - MOST_COHORTS + 1
    sizes = view.events.new_instances_by_week(view.source.id, first)
    alive = view.events.retention_by_week(view.source.id, first)
    return [
        Cohort(
            week * 7 - 3,
            sizes[week],
            tuple(
                min(1.0, alive.get((week, later), 0) / sizes[week]) for later in range(week, this_week + 1)
            ),
        )
        for week in range(this_week, first - 1, -1)
        if sizes.get(week)
    ]


def retention_table(cohorts: list[Cohort]) -> ViewTable:
    """Retention for programs: one row per cohort, one column per week since."""
    columns = ("week_of", "instances", *(f"week_{n}" for n in range(MOST_COHORTS)))
    rows: list[tuple[Cell, ...]] = []
    for cohort in cohorts:
        shares = [round(share, 4) for share in cohort.shares]
        rest = [None] * (MOST_COHORTS - len(shares))
        rows.append((iso(cohort.monday), cohort.size, *shares, *rest))
    return ViewTable("retention", "Retention by week of installation", columns, rows)


def gaps_of(one: Instance, first: int, last: int) -> list[Gap]:
    """Gaps of two or more heartbeats since the first one, the latest first."""
    if one.last_beat is None:
        return []
    begin = max(first, _first_beat(one))
    gaps: list[Gap] = []
    since: int | None = None
    for slot in range(begin, last + 2):
        if slot <= last and not one.beat_in(slot):
            since = slot if since is None else since
        elif since is not None:
            if slot - since >= 2:  # noqa: PLR2004 - one heartbeat may be late; two are a gap
                gaps.append(Gap(since, slot - 1))
            since = None
    return gaps[::-1]


INSTANCE_COLUMNS = (
    *("instance", "state", "established", "first_seen", "last_seen"),
    *("last_beat", "beats", "version", "os"),
)


def _state(view: ViewRequest, one: Instance) -> str:
    """Its state now, or at the end of a period that is over."""
    return one.state(view.now) if view.period.is_now else one.state_on(view.period.last)


def _row(one: Instance, state: str) -> tuple[Cell, ...]:
    return (
        id_text(one.id),
        state,
        int(one.established),
        time_text(one.first_seen),
        time_text(one.last_seen),
        time_text(one.last_beat),
        one.beats,
        one.version,
        f"{one.os} {one.os_version}".strip(),
    )


def _mark(one: Instance, slot: int, last: int) -> str | None:
    """`beat` or `missed`; None before the first heartbeat and in the future."""
    if one.beat_in(slot):
        return "beat"
    if one.last_beat is None or slot < _first_beat(one) or slot > last:
        return None
    return "missed"


def _first_beat(one: Instance) -> int:
    lowest = one.slots & -one.slots
    return one.first_day * SLOTS_A_DAY + max(lowest.bit_length() - 1, 0)


def _last_slot(view: ViewRequest) -> int:
    """The last slot that has ended: a heartbeat that is not due yet is not missed."""
    return min((view.period.last + 1) * SLOTS_A_DAY, view.now // SLOT_MS) - 1


def _list(
    view: ViewRequest, wanted: InstanceFilter, order: ListOrder, end: InstancesEnd, most: int
) -> tuple[list[Instance], InstancesEnd | None]:
    source, (before, after) = view.source.id, order.ends(end, LATEST)
    return view.events.list_instances(source, wanted, *view.period.ends, view.now, before, most, after)


def _whole(
    view: ViewRequest,
    wanted: InstanceFilter,
    order: ListOrder,
    rows: Rows,
    end: InstancesEnd | None,
) -> Iterator[Rows]:
    """Every instance of a filter: those that are listed, and those after them."""
    yield rows
    if end is not None:
        for some in follow(lambda end: _list(view, wanted, order, end, PIECE_ROWS), end):
            yield _rows(view, some)


def _rows(view: ViewRequest, listed: Sequence[Instance]) -> Rows:
    return [_row(one, _state(view, one)) for one in listed]


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """Instances by version or system, the most frequent first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(name or "unknown", n) for name, n in ranked]

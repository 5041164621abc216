"""Overview: active instances, installs, and where they fail most often."""

from __future__ import annotations

from dataclasses import dataclass

from collector.page.queries import events, installs, instances, rejects
from collector.page.view_types import ViewRequest, ViewResult
from collector.page.views.over_time import active_chart, installs_over_time
from collector.store.rollups import SPANS

TOP_FAILURES = 3
SPAN_NAMES = {1: "24h", 7: "7d", 30: "30d"}


@dataclass(frozen=True)
class ActiveCount:
    """Instances that were active in a span at the end of the period, and in the span before."""

    span: int
    established: int
    short_lived: int
    before: int

    @property
    def change(self) -> int:
        return self.established - self.before

    @property
    def all_young(self) -> bool:
        """True if none is or was established, as on a first day: a big 0 would read as no instance."""
        return not self.established and not self.before and self.short_lived > 0


def show_overview(view: ViewRequest) -> ViewResult:
    active = [active_within(view, span) for span in SPANS]
    runs = installs_over_time(view)
    chart, table = active_chart(view)
    worst = installs.worst_failures(view.store, view.source.id, view.period, TOP_FAILURES)
    waiting = events.count_waiting_requests(view.store, view.source.id) if view.visitor.may_help else 0
    data = {
        "active": {
            SPAN_NAMES[one.span]: {
                "established": one.established,
                "short_lived": one.short_lived,
                "change": one.change,
            }
            for one in active
        },
        "installs": runs.data,
    }
    context = {
        "active": active,
        "installs": runs,
        "active_chart": chart,
        "worst": worst,
        "waiting": waiting,
        "rejected": rejects.count_rejected(view.store, view.source.id, view.period),
    }
    return ViewResult("overview", "Overview", data, (table, *runs.tables), context)


def active_within(view: ViewRequest, span: int) -> ActiveCount:
    """Active instances: up to this minute if the period includes today, otherwise by whole days (UTC)."""
    period, source = view.period, view.source.id
    before_day = period.last - span
    before = instances.active_by_day(view.store, source, span, before_day, before_day)[before_day][1]
    if period.is_now:
        alive = view.census.active
        return ActiveCount(span, alive[span, True], alive[span, False], before)
    short, lasting = instances.active_by_day(view.store, source, span, period.last, period.last)[period.last]
    return ActiveCount(span, lasting, short, before)

"""Overview: active instances, installs, and where they fail most often."""

from __future__ import annotations

from dataclasses import dataclass

from collector.base.events import CATALOGUE
from collector.base.times import WEEK
from collector.page.analysis.changes import WEEKS, Change, change_of
from collector.page.listing import list_rows
from collector.page.queries.rejects import count_rejected
from collector.page.view_types import ViewRequest, ViewResult, ViewTable
from collector.page.views.marks import chart_marks, release_days
from collector.page.views.over_time import active_chart, installs_over_time
from collector.page.views.verdict import latest_verdict
from collector.store.fleet import ACTIVE
from collector.store.spans import SPANS

TOP_FAILURES = 3
# Names of usage events, the most frequent ones.
MOST_NAMES = 200
# How many days before it a number is compared with: a day with the same day of the week before.
BEFORE = {1: 7, 7: 7, 30: 30}
SPAN_NAMES = {1: "24h", 7: "7d", 30: "30d"}


@dataclass(frozen=True)
class ActiveCount:
    """Instances that were active in a span at the end of the period, and some days before."""

    span: int
    established: int
    short_lived: int
    change: Change

    @property
    def tone(self) -> str:
        """`up` for more than usual, `down` if fewer are active than before, which is not usual."""
        meaning = self.change.meaning
        if meaning == "less":
            return "down" if self.change.value < 0 else ""
        return "up" if meaning == "more" and self.change.value > 0 else ""

    @property
    def all_young(self) -> bool:
        """True if none is or was established, as on a first day: a big 0 would read as no instance."""
        return not self.established and not self.change.value and self.short_lived > 0


def show_overview(view: ViewRequest) -> ViewResult:
    active = [active_within(view, span) for span in SPANS]
    days = release_days(view, view.period.last)
    marks, verdict = chart_marks(view, days), latest_verdict(view, days)
    runs = installs_over_time(view, marks)
    chart, table = active_chart(view, marks)
    worst = view.events.worst_failures(view.source.id, *view.period.ends, TOP_FAILURES)
    counted = view.events.count_by_name(view.source.id, *view.period.ends, MOST_NAMES)
    usage = [(name, n) for name, n in counted if name not in CATALOGUE]
    listed = list_rows(view, ViewTable("usage", "Usage events", ("event", "events"), usage), usage)
    data = {
        "active": {
            SPAN_NAMES[one.span]: {
                "established": one.established,
                "short_lived": one.short_lived,
                "change": one.change.value,
                "usual_changes": one.change.usual,
                "meaning": one.change.meaning,
            }
            for one in active
        },
        "installs": runs.data,
        "latest_release": verdict and verdict.data,
    }
    context = {
        "active": active,
        "verdict": verdict,
        "installs": runs,
        "active_chart": chart,
        "worst": worst,
        "usage": listed,
        "lists": ACTIVE if view.period.is_now else {},
        "waiting": len(view.help_requests.waiting),
        "rejected": count_rejected(view.stores.control, view.source.id, view.period),
    }
    tables = (table, *runs.tables, listed.table)
    return ViewResult("overview", "Overview", data, tables, context)


def active_within(view: ViewRequest, span: int) -> ActiveCount:
    """Active instances: up to this minute if the period includes today, otherwise by whole days (UTC)."""
    last, back = view.period.last, BEFORE[span]
    by_day = view.events.active_by_day(view.source.id, span, last - back - WEEKS * WEEK, last)
    short, lasting = by_day[last]
    if view.period.is_now:
        short, lasting = (view.census.active[span, kind] for kind in (False, True))
    levels = {day: counts[1] for day, counts in by_day.items()}
    return ActiveCount(span, lasting, short, change_of(lasting, levels, last, back))

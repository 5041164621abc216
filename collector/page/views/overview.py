"""Overview: how many are alive, how installs go, and where they fail most."""

from __future__ import annotations

from dataclasses import dataclass

from collector.page.look import Look, Shown
from collector.page.queries import events, installs, instances
from collector.page.views.figures import active_chart, installs_over_time
from collector.store.rollups import SPANS

TOP_FAILURES = 3
SPAN_NAMES = {1: "24h", 7: "7d", 30: "30d"}


@dataclass(frozen=True)
class Active:
    """Instances alive within a span that ends with the period, and as it stood one span before."""

    span: int
    established: int
    short_lived: int
    before: int

    @property
    def change(self) -> int:
        return self.established - self.before


def show(look: Look) -> Shown:
    """The first view."""
    active = [active_within(look, span) for span in SPANS]
    runs = installs_over_time(look)
    chart, table = active_chart(look)
    worst = installs.failures(look.store, look.source.id, look.period, TOP_FAILURES)
    waiting = events.waiting(look.store, look.source.id) if look.visitor.may_help else 0
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
    context = {"active": active, "installs": runs, "active_chart": chart, "worst": worst, "waiting": waiting}
    return Shown("overview", "Overview", data, (table, *runs.tables), context)


def active_within(look: Look, span: int) -> Active:
    """Who was alive in a span: to the minute if the period goes on now, else by whole days (UTC)."""
    period, source = look.period, look.source.id
    before_day = period.last - span
    before = instances.active_by_day(look.store, source, span, before_day, before_day)[before_day][1]
    if period.is_now:
        alive = look.census.active
        return Active(span, alive[span, True], alive[span, False], before)
    short, lasting = instances.active_by_day(look.store, source, span, period.last, period.last)[period.last]
    return Active(span, lasting, short, before)

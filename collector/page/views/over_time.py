"""Installs and active instances over time, which several views show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from collector.page import charts
from collector.page.analysis.rates import compare_rates, rate_of
from collector.page.charts import Chart, Marks, Series
from collector.page.period import iso
from collector.page.view_types import Cell, ViewRequest, ViewTable, days_text
from collector.store.runs import RunCounts
from collector.store.spans import SPANS

COUNT_COLUMNS = ("started", "succeeded", "failed", "given_up", "running", "success_rate")


@dataclass(frozen=True)
class InstallSummary:
    """Installs of a period, beside those of the same weekdays some weeks before, with charts."""

    now: RunCounts
    before: RunCounts
    chart: Chart
    rate_chart: Chart
    tables: tuple[ViewTable, ...]

    @property
    def meaning(self) -> str:
        """`better` or `worse` than before, or `noise`: chance explains the difference."""
        return compare_rates(rate_of(self.now), rate_of(self.before))

    @property
    def data(self) -> dict[str, Cell]:
        exact = (*_cells(self.now)[:-1], self.now.rate)
        return dict(zip(COUNT_COLUMNS, exact, strict=True))


def installs_over_time(view: ViewRequest, marks: Marks) -> InstallSummary:
    """Installs that began in the period, by how they ended."""
    period = view.period
    days = period.bars()
    first = min(days[0][0], period.before[0])
    by_day = view.events.run_counts_by_day(view.source.id, first, period.last, view.now)
    bars = [sum_counts(by_day, *bar) for bar in days]
    table = counts_table(
        "installs", "Installs", "day", zip((days_text(*day) for day in days), bars, strict=True)
    )
    series = (
        Series("succeeded", "good", [c.succeeded for c in bars]),
        Series("failed", "bad", [c.failed for c in bars]),
        Series("given up", "warn", [c.given_up for c in bars]),
        Series("running", "quiet", [c.running for c in bars]),
    )
    rates = ViewTable(
        "success_rate", "Success rate", ("day", "success_rate"), [(r[0], r[-1]) for r in table.rows]
    )
    return InstallSummary(
        sum_counts(by_day, period.first, period.last),
        sum_counts(by_day, *period.before),
        charts.bar_chart(table, days, series, period.first, marks),
        charts.line_chart(
            rates, days, (Series("success rate", "accent", [c.rate for c in bars]),), marks, shares=True
        ),
        (table, rates),
    )


def sum_counts(by_day: Mapping[int, RunCounts], first: int, last: int) -> RunCounts:
    total = RunCounts()
    for day in range(first, last + 1):
        if one := by_day.get(day):
            total.merge(one)
    return total


def active_chart(view: ViewRequest, marks: Marks) -> tuple[Chart, ViewTable]:
    """Established instances that were active in the 1, 7 and 30 days up to each day."""
    days = view.period.each_day()
    by_span = {
        span: view.events.active_by_day(view.source.id, span, days[0][0], view.period.last) for span in SPANS
    }
    if view.period.is_now:  # today is not over: count the span up to this moment
        census = view.census
        for span in SPANS:
            by_span[span][view.period.last] = (census.active[span, False], census.active[span, True])
    alive = [[by_span[span][day][1] for _, day in days] for span in SPANS]
    short_lived = [by_span[1][day][0] for _, day in days]
    rows = [(iso(day), *levels) for (_, day), *levels in zip(days, *alive, short_lived, strict=True)]
    columns = ("day", "active_24h", "active_7d", "active_30d", "short_lived_24h")
    table = ViewTable("active", "Active instances", columns, rows)
    styles = (("24 hours", "accent"), ("7 days", "accent dash"), ("30 days", "accent dots"))
    series = tuple(Series(*style, levels) for style, levels in zip(styles, alive, strict=True))
    return charts.line_chart(table, days, series, marks), table


def counts_table(name: str, title: str, column: str, counts: Iterable[tuple[str, RunCounts]]) -> ViewTable:
    """Counts of runs, a row for each version, system or day."""
    return ViewTable(name, title, (column, *COUNT_COLUMNS), [(key, *_cells(one)) for key, one in counts])


def _cells(counts: RunCounts) -> tuple[Cell, ...]:
    rate = None if counts.rate is None else round(counts.rate, 4)
    return (counts.started, counts.succeeded, counts.failed, counts.given_up, counts.running, rate)

"""Figures that more than one view shows: installs over time, instances over time, one run in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collector.page import charts
from collector.page.charts import Chart, Series
from collector.page.look import Cell, Look, Table, told_days, told_id, told_time
from collector.page.period import iso
from collector.page.queries import installs, instances
from collector.page.queries.installs import Counts, Run
from collector.store.rollups import SPANS

RUN_COLUMNS = (
    "run",
    "began",
    "state",
    "version",
    "os",
    "script",
    "line",
    "command",
    "end",
    "duration_ms",
    "instance",
)


@dataclass(frozen=True)
class Installs:
    """Installs of a period, beside the period before it, with the charts of both."""

    now: Counts
    before: Counts
    chart: Chart
    rate_chart: Chart
    tables: tuple[Table, ...]

    @property
    def data(self) -> dict[str, Cell]:
        return {
            "started": self.now.started,
            "succeeded": self.now.succeeded,
            "failed": self.now.failed,
            "given_up": self.now.given_up,
            "running": self.now.running,
            "success_rate": self.now.rate,
        }


def installs_over_time(look: Look) -> Installs:
    """Installs that began in the period, by how they ended."""
    period = look.period
    days = period.bars()
    first = min(days[0][0], period.first - period.days)
    by_day = installs.by_day(look.store, look.source.id, first, period.last, look.now)
    bars = [summed(by_day, *bar) for bar in days]
    columns = ("day", "started", "succeeded", "failed", "given_up", "running", "success_rate")
    table = Table(
        "installs", "Installs", columns, [_install_row(*d, c) for d, c in zip(days, bars, strict=True)]
    )
    series = (
        Series("succeeded", "good", [c.succeeded for c in bars]),
        Series("failed", "bad", [c.failed for c in bars]),
        Series("given up", "warn", [c.given_up for c in bars]),
        Series("running", "quiet", [c.running for c in bars]),
    )
    rates = Table(
        "success_rate", "Success rate", ("day", "success_rate"), [(r[0], r[-1]) for r in table.rows]
    )
    return Installs(
        summed(by_day, period.first, period.last),
        summed(by_day, period.first - period.days, period.first - 1),
        charts.bar_chart(table, days, series, period.first),
        charts.line_chart(rates, days, (Series("success rate", "accent", [c.rate for c in bars]),), top=1.0),
        (table, rates),
    )


def summed(by_day: Mapping[int, Counts], first: int, last: int) -> Counts:
    """The counts of several days together."""
    total = Counts()
    for day in range(first, last + 1):
        if one := by_day.get(day):
            total.succeeded += one.succeeded
            total.failed += one.failed
            total.given_up += one.given_up
            total.running += one.running
    return total


def active_chart(look: Look) -> tuple[Chart, Table]:
    """Established instances alive in the day, the 7 and the 30 days up to each day."""
    days = look.period.each_day()
    by_span = {
        span: instances.active_by_day(look.store, look.source.id, span, days[0][0], look.period.last)
        for span in SPANS
    }
    if look.period.is_now:  # today is not over: what counts is the span up to this moment
        census = look.census
        for span in SPANS:
            by_span[span][look.period.last] = (census.active[span, False], census.active[span, True])
    alive = [[by_span[span][day][1] for _, day in days] for span in SPANS]
    short_lived = [by_span[1][day][0] for _, day in days]
    rows = [(iso(day), *levels) for (_, day), *levels in zip(days, *alive, short_lived, strict=True)]
    columns = ("day", "active_24h", "active_7d", "active_30d", "short_lived_24h")
    table = Table("active", "Active instances", columns, rows)
    styles = (("24 hours", "accent"), ("7 days", "accent dash"), ("30 days", "accent dots"))
    series = tuple(Series(*style, levels) for style, levels in zip(styles, alive, strict=True))
    return charts.line_chart(table, days, series), table


def runs_table(name: str, title: str, runs: list[Run], now: int) -> Table:
    """Runs as rows for programs."""
    return Table(name, title, RUN_COLUMNS, [run_row(run, now) for run in runs])


def run_row(run: Run, now: int) -> tuple[Cell, ...]:
    """One run for programs, in the order of RUN_COLUMNS."""
    place = run.place
    return (
        told_id(run.id),
        told_time(run.began),
        run.state(now),
        run.version,
        f"{run.os} {run.os_version}".strip(),
        place.script or None,
        run.line,
        place.command or None,
        place.end or None,
        run.duration,
        told_id(run.instance),
    )


def _install_row(first: int, last: int, counts: Counts) -> tuple[Cell, ...]:
    rate = None if counts.rate is None else round(counts.rate, 4)
    ended = (counts.started, counts.succeeded, counts.failed, counts.given_up, counts.running)
    return (told_days(first, last), *ended, rate)

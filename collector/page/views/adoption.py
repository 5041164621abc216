"""How the fleet changed: versions or systems over time, and who came and left."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from collector.base.times import WEEK
from collector.page import charts
from collector.page.analysis.release_order import in_release_order
from collector.page.charts import Chart, Marks, Series
from collector.page.listing import list_rows
from collector.page.period import iso
from collector.page.request import PageError
from collector.page.view_types import Cell, ViewRequest, ViewResult, ViewTable, days_text
from collector.page.views.marks import chart_marks, release_days
from collector.store.history import Changes, FleetHistory, levels, on_day
from collector.store.words import UNKNOWN

KINDS = {"version": "Which versions live", "system": "Which systems live"}
# So many words have a line of their own.
MOST_LINES = 4
REST = "all others"
LINES = ("accent", "good dash", "warn", "bad dots", "quiet dash")


def show_adoption(view: ViewRequest) -> ViewResult:
    """Instances by version or system, now and before; those that came, came back and were lost."""
    kind = view.query.get("by", "version")
    if kind not in KINDS:
        raise PageError(400, f"`by` must be one of {', '.join(KINDS)}.")
    history = view.history
    known = history or FleetHistory()
    changes = known.versions if kind == "version" else known.systems
    odd = release_days(view, view.period.last)[1] if kind == "version" else frozenset[str]()
    words = words_table(kind, changes, view, odd)
    listed = list_rows(view, words, words.rows)
    marks = chart_marks(view)
    chart = _lines(view, kind, changes, odd, marks)
    flow, came, lost = _flow(view, known, marks)
    period = range(view.period.first, view.period.last + 1)
    sums = {name: sum(getattr(known, name)[day] for day in period) for name in ("new", "back", "lost")}
    context = {
        "list": listed,
        "chart": chart,
        "came": came,
        "lost": lost,
        "kind": kind,
        "outliers": odd,
        "living": on_day(changes, view.period.last).total(),
        "counted": history is not None,
        "refresh": None if history is not None else REFRESH_SECONDS,
        "sums": sums,
    }
    data = {"by": kind, "counted": history is not None, **sums}
    return ViewResult("adoption", KINDS[kind], data, (listed.table, chart.table, flow), context)


REFRESH_SECONDS = 5


def words_table(kind: str, changes: Changes, view: ViewRequest, odd: Collection[str]) -> ViewTable:
    """Instances that were active in the 30 days up to the period's end, beside a week and a period before."""
    period = view.period
    now, week = on_day(changes, period.last), on_day(changes, period.last - WEEK)
    start = on_day(changes, period.first - 1)
    total, total_before = sum(now.values()), sum(start.values())
    known = {*now, *week, *start}
    order = (
        in_release_order(known, odd)
        if kind == "version"
        else sorted(known, key=lambda word: (-now[word], word))
    )
    rows: list[tuple[Cell, ...]] = [
        (
            word or UNKNOWN,
            now[word],
            _share(now[word], total),
            now[word] - week[word],
            now[word] - start[word],
            _share(start[word], total_before),
        )
        for word in order
    ]
    columns = ("instances", "share", "change_in_a_week", "change_in_the_period", "share_before")
    return ViewTable("words", f"By {kind}", (kind, *columns), rows)


def _share(n: int, total: int) -> float | None:
    return round(n / total, 4) if total else None


def _lines(view: ViewRequest, kind: str, changes: Changes, odd: Collection[str], marks: Marks) -> Chart:
    """A line for each of the most frequent words, and one for the rest, to which outliers belong."""
    days = view.period.each_day()
    first, last = days[0][0], days[-1][0]
    by_word = {word: levels(one, first, last) for word, one in changes.items()}
    ranked = sorted(by_word, key=lambda word: (-by_word[word][-1], -max(by_word[word]), word))
    shown = [word for word in ranked if any(by_word[word]) and word not in odd][:MOST_LINES]
    if kind == "version":
        shown = in_release_order(shown)
    rest = [sum(values) for values in zip(*(by_word[w] for w in by_word if w not in shown), strict=True)]
    lines = [(_column(word), by_word[word]) for word in shown]
    if any(rest):
        lines.append((REST, rest))
    rows = [(iso(day), *values) for (day, _), *values in zip(days, *(v for _, v in lines), strict=True)]
    table = ViewTable("over_time", "Instances by " + kind, ("day", *(name for name, _ in lines)), rows)
    series = tuple(Series(name, css, v) for (name, v), css in zip(lines, LINES, strict=False))
    return charts.line_chart(table, days, series, marks)


def _column(word: str) -> str:
    """The name of a word's column; one that is told like another column has quotes around it."""
    return f"`{word}`" if word in (UNKNOWN, REST, "day") else word or UNKNOWN


def _flow(view: ViewRequest, history: FleetHistory, marks: Marks) -> tuple[ViewTable, Chart, Chart]:
    """Instances that came and were lost, by the bars of the period."""
    days = view.period.bars()
    new, back, lost = (_by_bar(days, one) for one in (history.new, history.back, history.lost))
    net = [a + b - c for a, b, c in zip(new, back, lost, strict=True)]
    labels = [days_text(*bar) for bar in days]
    columns = ("day", "new", "back", "lost", "net")
    flow = ViewTable("flow", "Came and lost", columns, list(zip(labels, new, back, lost, net, strict=True)))
    came = ViewTable("came", "Came", ("day", "new", "back"), list(zip(labels, new, back, strict=True)))
    gone = ViewTable(
        "lost", "Lost: 30 days without a heartbeat", ("day", "lost"), list(zip(labels, lost, strict=True))
    )
    first = view.period.first
    series = (Series("new", "good", new), Series("came back", "accent", back))
    return (
        flow,
        charts.bar_chart(came, days, series, first, marks),
        charts.bar_chart(gone, days, (Series("lost", "bad", lost),), first, marks),
    )


def _by_bar(days: Sequence[tuple[int, int]], counted: dict[int, int]) -> list[int]:
    return [sum(counted.get(day, 0) for day in range(first, last + 1)) for first, last in days]

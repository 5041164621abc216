"""Charts as coordinates in a square of 100 by 100, with y downwards.

The template stretches the square to the size of the figure. Labels are text beside it, so that they keep
their size on a phone. Colours are not known here: each series has a CSS class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from collector.page.period import iso
from collector.page.scales import STEPS, Scale, scale_around, scale_from_zero, scale_of_shares
from collector.page.view_types import ViewTable

X_LABELS = 5
# Up to this many days, every day has a label.
MOST_LABELS = 7


@dataclass(frozen=True)
class Series:
    """One quantity over time: its values, and the CSS class that sets its colour."""

    name: str
    css: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Mark:
    """Something that happened on a day: a release, an advisory or an outage; `href` says more."""

    day: int
    kind: str
    text: str
    href: str


@dataclass(frozen=True)
class Bar:
    """One bar's part of one series."""

    x: float
    y: float
    width: float
    height: float
    css: str


@dataclass(frozen=True)
class Line:
    """A line as an SVG path, interrupted where a value is missing."""

    d: str
    css: str


@dataclass(frozen=True)
class MarkLine:
    """A mark, and where it stands in the chart."""

    x: float
    mark: Mark


@dataclass(frozen=True)
class Chart:
    """A chart: its drawing, its labels, and the table with the same values.

    `values` has a text for each day. The reader sees it by pointing at the day, touching it, or by key.
    """

    title: str
    series: tuple[Series, ...]
    table: ViewTable
    scale: Scale
    x_labels: tuple[tuple[float, str], ...]  # where each stands, and its text
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()
    marks: tuple[MarkLine, ...] = ()
    values: tuple[str, ...] = ()
    empty: bool = False
    grid: tuple[float, ...] = field(default=tuple(100 * n / STEPS for n in range(STEPS + 1)))


Days = Sequence[tuple[int, int]]
Marks = Sequence[Mark]


def bar_chart(
    table: ViewTable, days: Days, series: tuple[Series, ...], first: int, marks: Marks = ()
) -> Chart:
    """Stacked bars; those of days before `first` are pale."""
    scale = scale_from_zero(max((sum(values) for values in _columns(series)), default=0.0))
    width = 100 / len(days)
    bars: list[Bar] = []
    for index, values in enumerate(_columns(series)):
        base = 100.0
        for one, value in zip(series, values, strict=True):
            height = 100 - scale.y(value)
            base -= height
            if value:
                pale = " pale" if days[index][1] < first else ""
                gap = width * (0.16 if len(days) < 100 else 0.05)  # noqa: PLR2004 - thin bars have smaller gaps
                bars.append(
                    Bar(_r(index * width + gap / 2), _r(base), _r(width - gap), _r(height), one.css + pale)
                )
    return _chart(table, days, series, scale, marks, bars=tuple(bars))


def line_chart(
    table: ViewTable,
    days: Days,
    series: tuple[Series, ...],
    marks: Marks = (),
    *,
    shares: bool = False,
) -> Chart:
    """One line per series. The scale shows the change: it may begin above zero. `shares` are in percent."""
    known = [value for one in series for value in one.values if value is not None] or [0.0]
    scale = scale_of_shares(min(known)) if shares else scale_around(min(known), max(known))
    lines = tuple(Line(_path(one.values, scale), one.css) for one in series)
    return _chart(table, days, series, scale, marks, lines=lines)


def sparkline(values: Sequence[int]) -> tuple[Bar, ...]:
    """A small trend: bars without a scale."""
    top, width = max(values, default=0) or 1, 100 / max(len(values), 1)
    return tuple(
        Bar(_r(i * width), _r(100 - 100 * v / top), _r(width * 0.84), _r(100 * v / top), "bad")
        for i, v in enumerate(values)
        if v
    )


def _chart(
    table: ViewTable,
    days: Days,
    series: tuple[Series, ...],
    scale: Scale,
    marks: Marks,
    *,
    bars: tuple[Bar, ...] = (),
    lines: tuple[Line, ...] = (),
) -> Chart:
    width = 100 / len(days)
    placed = {mark: n for n, (first, last) in enumerate(days) for mark in marks if first <= mark.day <= last}
    return Chart(
        title=table.title,
        series=series,
        table=table,
        scale=scale,
        x_labels=_x_labels(days),
        bars=bars,
        lines=lines,
        marks=tuple(MarkLine(_r((n + 0.5) * width), mark) for mark, n in placed.items()),
        values=_values(days, series, scale, placed),
        empty=not any(value for one in series for value in one.values),
    )


def _columns(series: tuple[Series, ...]) -> list[tuple[float, ...]]:
    return [
        tuple(value or 0.0 for value in column) for column in zip(*(s.values for s in series), strict=True)
    ]


def _path(values: Sequence[float | None], scale: Scale) -> str:
    """Points, each in the middle of its day."""
    width = 100 / max(len(values), 1)
    parts: list[str] = []
    pen = "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        x, y = (index + 0.5) * width, scale.y(value)
        # A single point is drawn as a short line; otherwise it would be invisible.
        alone = pen == "M" and (index + 1 == len(values) or values[index + 1] is None)
        parts.append(
            f"M{_r(x - width / 4)} {_r(y)}H{_r(x + width / 4)}" if alone else f"{pen}{_r(x)} {_r(y)}"
        )
        pen = "L"
    return "".join(parts)


def _values(days: Days, series: tuple[Series, ...], scale: Scale, placed: dict[Mark, int]) -> tuple[str, ...]:
    found = []
    for index, (first, last) in enumerate(days):
        values = [f"{s.name} {'–' if (v := s.values[index]) is None else scale.text(v)}" for s in series]
        when = short_day(first) if first == last else f"{short_day(first)} – {short_day(last)}"
        told = [mark.text for mark, n in placed.items() if n == index]
        found.append(f"{when}: {', '.join([*values, *told])}")
    return tuple(found)


def _x_labels(days: Days) -> tuple[tuple[float, str], ...]:
    """Some of the days, each below the middle of its point or bar."""
    count = len(days) if len(days) <= MOST_LABELS else X_LABELS
    places = [(2 * n + 1) * len(days) // (2 * count) for n in range(count)]
    return tuple((_r(100 * (place + 0.5) / len(days)), short_day(days[place][1])) for place in places)


def short_day(day: int) -> str:
    """`20 Nov`."""
    at = date.fromisoformat(iso(day))
    return f"{at.day} {at:%b}"


def _r(value: float) -> float:
    return round(value, 3)

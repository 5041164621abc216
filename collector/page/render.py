"""HTML from templates: everything escaped, numbers and times formatted for people."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from collector.base.ids import as_uuid
from collector.base.times import DAY_MS, write_time
from collector.base.written import write_size
from collector.page.charts import short_day
from collector.page.period import iso
from collector.page.view_types import PAGE_ROWS

_UNITS = ((DAY_MS, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"))


def number(value: float | None) -> str:
    """`12,345`; a dash if the value is unknown."""
    return "–" if value is None else f"{value:,}"


def signed(value: int) -> str:
    """With its sign: `+12`, `±0`."""
    return "±0" if not value else f"{'+' if value > 0 else '−'}{abs(value):,}"  # noqa: RUF001 - a true minus


def percent(value: float | None) -> str:
    """`93.4 %`, or `93 %` if it is a whole number."""
    if value is None:
        return "–"
    text = f"{100 * value:.1f}".removesuffix(".0")
    return f"{text} %"


def points(difference: float) -> str:
    """A difference of two shares, in percentage points: `+9.0 points`."""
    text = f"{abs(100 * difference):.1f}"
    return f"{'±' if text == '0.0' else '+' if difference > 0 else '−'}{text} points"  # noqa: RUF001 - as above


def when(milliseconds: int | None) -> Markup:
    """A time as HTML, readable for people and programs."""
    if not milliseconds:
        return Markup("–")
    full = write_time(milliseconds)
    text = f"{short_day(milliseconds // DAY_MS)} {full[:4]}, {full[11:16]}"
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        full, full[:19].replace("T", " "), escape(text)
    )


def limit(value: float | None) -> str:
    """A limit of a key: `1,000`, `none` where there is none, or a dash where the setting holds."""
    return "–" if value is None else f"{value:,}".removesuffix(".0") if value else "none"


def limit_size(value: float | None) -> str:
    """The same for a number of bytes: `1 GiB`."""
    return write_size(value) if value else limit(value)


def ago(milliseconds: int | None, now: int) -> str:
    """`3 hours ago`."""
    if milliseconds is None:
        return "never"
    past = now - milliseconds
    return "just now" if past < 10_000 else f"{span(past)} ago"  # noqa: PLR2004 - milliseconds


def span(milliseconds: int | None) -> str:
    """A duration in its largest unit: `3 hours`."""
    if milliseconds is None:
        return "–"
    for size, name in _UNITS:
        if milliseconds >= size:
            count = milliseconds // size
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return "under a second"


def short_id(key: bytes) -> str:
    """The first characters of an id."""
    return as_uuid(key)[:8]


class Renderer:
    """Renders templates by name. Everything is escaped; an unknown name is an error."""

    def __init__(self) -> None:
        self._environment = made = Environment(
            loader=PackageLoader("collector.page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        made.filters.update(
            number=number,
            percent=percent,
            when=when,
            span=span,
            uuid=as_uuid,
            short_id=short_id,
            day=iso,
            short_day=short_day,
            size=write_size,
            limit=limit,
            limit_size=limit_size,
        )
        made.globals.update(signed=signed, points=points, ago=ago, PAGE_ROWS=PAGE_ROWS)

    def __call__(self, template: str, **context: Any) -> bytes:
        return self._environment.get_template(template).render(context).encode("utf-8", "replace")

"""What people use: a product's own events, how often, by how many instances, and with which values."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from collector.base.events import CATALOGUE, mapping
from collector.base.times import DAY_MS
from collector.page import charts
from collector.page.charts import Chart, Series
from collector.page.event_json import readable_json
from collector.page.listing import list_rows
from collector.page.view_types import Cell, ViewRequest, ViewResult, ViewTable, days_text, time_text
from collector.page.views.marks import chart_marks
from collector.store.values import StoredEvent
from collector.store.words import OTHER

MOST_NAMES = 200
# Instances and values are counted among so many of the period's latest events with the name.
SAMPLE = 1000
MOST_PROPERTIES, MOST_VALUES, LONGEST_VALUE = 20, 10, 80

Values = dict[str, Counter[str]]


def show_usage(view: ViewRequest) -> ViewResult:
    """The names of usage events, and one of them in detail."""
    counted = _by_name(view, view.period.ends)
    names = [(name, n) for name, n in counted.items() if name not in CATALOGUE]
    earlier = _by_name(view, view.period.before)
    wanted = view.query.get("event") or next((name for name, _ in names if name != OTHER), "")
    rest = 0 if len(earlier) < MOST_NAMES else None
    rows = [(name, n, earlier.get(name, rest)) for name, n in names]
    listed = list_rows(
        view, ViewTable("usage", "Usage events", ("event", "events", "events_before"), rows), rows
    )
    chart = _over_time(view, wanted)
    sample = _latest(view, wanted) if wanted else []
    values = values_of(sample, reveal=view.visitor.may_help)
    instances = len({event.who for event in sample if event.who})
    each: list[tuple[Cell, ...]] = [
        (name, value, n) for name, counts in values.items() for value, n in counts.items()
    ]
    properties = ViewTable("values", f"Values of {wanted}", ("property", "value", "events"), each)
    data = {
        "event": wanted,
        "sample": len(sample),
        "instances_in_sample": instances,
        "sample_from": time_text(sample[-1].time) if sample else None,
        "sample_to": time_text(sample[0].time) if sample else None,
    }
    context = {
        **data,
        "list": listed,
        "chart": chart,
        "values": values,
        "sampled": (sample[-1].time, sample[0].time) if sample else None,
        "times": _times(view, wanted, counted),
    }
    return ViewResult("usage", "What is used", data, (listed.table, chart.table, properties), context)


def _by_name(view: ViewRequest, days: tuple[int, int]) -> dict[str, int]:
    return dict(view.events.count_by_name(view.source.id, *days, MOST_NAMES))


def _times(view: ViewRequest, name: str, counted: Mapping[str, int]) -> int:
    """How many events of the period have a name; it may be rarer than those that are counted together."""
    if name in counted:
        return counted[name]
    return sum(view.events.count_by_day(view.source.id, name, *view.period.ends).values())


def _latest(view: ViewRequest, name: str) -> list[StoredEvent]:
    """The latest events with a name that happened within the period, the latest first."""
    found = view.events.events_named(view.source.id, name, (view.period.until_ms, 0), SAMPLE)
    return [event for event in found if event.time >= view.period.first * DAY_MS]


def values_of(events: Sequence[StoredEvent], *, reveal: bool) -> Values:
    """The values of each property, the most frequent first; texts are cut, and objects are not counted."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        body = mapping(msgspec.json.decode(readable_json(event.body, reveal=reveal)))
        for name, value in mapping(body.get("properties")).items():
            if isinstance(value, str | int | float | bool):
                text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
                found[name[:LONGEST_VALUE]][text[:LONGEST_VALUE]] += 1
    often = sorted(found, key=lambda name: (-found[name].total(), name))[:MOST_PROPERTIES]
    return {name: Counter(dict(found[name].most_common(MOST_VALUES))) for name in often}


def _over_time(view: ViewRequest, name: str) -> Chart:
    days = view.period.bars()
    by_day = view.events.count_by_day(view.source.id, name, days[0][0], view.period.last)
    bars = [sum(by_day.get(day, 0) for day in range(first, last + 1)) for first, last in days]
    rows = [(days_text(*bar), n) for bar, n in zip(days, bars, strict=True)]
    table = ViewTable("over_time", name or "Usage", ("day", "events"), rows)
    return charts.bar_chart(
        table, days, (Series("events", "accent", bars),), view.period.first, chart_marks(view)
    )

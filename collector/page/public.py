"""The public page of a source: to everybody, without a cookie, and to be kept by caches."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from typing import Any

from collector.admin import AdminError
from collector.base import http
from collector.base.http import Answer
from collector.page import charts
from collector.page.charts import Series
from collector.page.frame import Frame
from collector.page.period import iso
from collector.page.request import PageError
from collector.page.view_types import ViewTable
from collector.public.numbers import Weeks, public_source, published_weeks
from collector.public.rounding import SUCCESS, TOTAL
from collector.store import ControlStore

START = "/public/"
CACHE = (b"cache-control", b"public, max-age=3600")
CSV = b"text/csv; charset=utf-8"
# The page reads the store at most so often for a source.
KEPT_SECONDS = 60.0
MOST_WEEKS = 104
HOW = (
    "Active instances sent a heartbeat within 30 days, and events over more than a day. Their number is "
    "a floor, not a total: who switched telemetry off is not counted. Each number is rounded to tens, "
    "stands for at least 10 instances, and is made once a week. The success rate is the share of "
    "servers on which an install succeeded, of those on which one ended in the last four weeks. At "
    "least 10 count as failed. Somebody who sends made-up instances changes these numbers, and can learn "
    "from them of fewer than 10 true ones."
)


class PublicPages:
    """Makes the pages, and keeps each for a moment."""

    def __init__(
        self, control: ControlStore, frame: Frame, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._control, self._frame, self._clock = control, frame, clock
        self._kept: dict[str, tuple[float, Weeks]] = {}

    def show(self, name: str, suffix: str) -> Answer:
        """The page of a source, as HTML, JSON or CSV. PageError if it has none."""
        weeks = self._weeks(name)
        if suffix == "json":
            return Answer(200, _json(name, weeks), http.JSON, (CACHE,))
        if suffix == "csv":
            return Answer(200, _csv(weeks), CSV, (CACHE,))
        return self._frame.html("public.html", None, _context(name, weeks), cache=CACHE)

    def _weeks(self, name: str) -> Weeks:
        made, weeks = self._kept.get(name, (float("-inf"), {}))
        if self._clock() - made > KEPT_SECONDS:
            self._kept.pop(name, None)
            try:
                found = published_weeks(self._control, public_source(self._control, name))
            except AdminError:
                raise PageError(404, "Nothing is public here.") from None
            weeks = {week: found[week] for week in sorted(found)[-MOST_WEEKS:]}
            self._kept[name] = (self._clock(), weeks)
        return weeks


def _rows(weeks: Weeks) -> list[tuple[str, str, str, int]]:
    """Every number: its week, its kind, its word, and its value."""
    return [
        (iso(week), kind, word, cell.value)
        for week, cells in weeks.items()
        for (kind, word), cell in sorted(cells.items())
    ]


def _csv(weeks: Weeks) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([("week", "kind", "name", "value"), *_rows(weeks)])
    return out.getvalue().encode()


def _json(name: str, weeks: Weeks) -> bytes:
    shown: list[dict[str, Any]] = []
    for week, cells in weeks.items():
        total, rate = cells.get(TOTAL), cells.get(SUCCESS)
        shown.append(
            {
                "week": iso(week),
                "active_instances": total.value if total else None,
                "success_percent_at_least": rate.value if rate else None,
                "versions": _words(weeks, week, "version"),
                "systems": _words(weeks, week, "system"),
            }
        )
    return json.dumps({"source": name, "how": HOW, "weeks": shown}, indent=1).encode() + b"\n"


def _words(weeks: Weeks, week: int, kind: str) -> dict[str, int]:
    """The numbers of a kind, the largest first."""
    found = {word: cell.value for (of, word), cell in weeks[week].items() if of == kind}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _context(name: str, weeks: Weeks) -> dict[str, Any]:
    latest = max(weeks, default=None)
    return {
        "name": name,
        "how": HOW,
        "charts": [_chart(weeks, *TOTAL), _chart(weeks, *SUCCESS)] if weeks else [],
        "latest": None if latest is None else iso(latest),
        "tables": [
            (title, {} if latest is None else _words(weeks, latest, kind))
            for title, kind in (("Versions", "version"), ("Systems", "system"))
        ],
    }


def _chart(weeks: Weeks, kind: str, word: str) -> charts.Chart:
    title = "Active instances" if kind == TOTAL[0] else "Success rate of installs, percent or more"
    values = [cell.value if (cell := cells.get((kind, word))) else None for cells in weeks.values()]
    column = "instances" if kind == TOTAL[0] else "percent"
    rows = [(iso(week), value) for week, value in zip(weeks, values, strict=True)]
    table = ViewTable(kind, title, ("week", column), rows)
    days = [(week, week) for week in weeks]
    return charts.line_chart(table, days, (Series(column, "accent", values),))

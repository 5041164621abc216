"""A view for programs: the whole view as JSON, or one of its tables as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from collector.base.times import write_time
from collector.page.period import iso
from collector.page.request import PageError
from collector.page.view_types import Cell, Rows, ViewRequest, ViewResult, ViewTable, time_text

# A spreadsheet runs a cell that starts like this as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def view_as_json(view: ViewRequest, result: ViewResult) -> bytes:
    """The view's data and every table, rows as objects."""
    period = view.period
    root = {
        "view": result.name,
        "source": view.source.name,
        "period": {"name": period.name, "from": iso(period.first), "to": iso(period.last)},
        "at": write_time(view.now),
        "countedUntil": time_text(view.counted_until),
        **result.data,
        "tables": {table.name: [_object(table, row) for row in table.rows] for table in result.tables},
    }
    return msgspec.json.format(msgspec.json.encode(root), indent=1) + b"\n"


def table_as_csv(result: ViewResult, wanted: str | None) -> tuple[str, Iterator[bytes]]:
    """A file name, and the wanted table (or the first one) as CSV, with every row it has."""
    table = next((one for one in result.tables if one.name == wanted), None) if wanted else result.tables[0]
    if table is None:
        raise PageError(404, f"`table` must be one of {', '.join(one.name for one in result.tables)}.")
    pieces = map(_lines, chain([[table.columns]], table.whole() if table.whole else [table.rows]))
    return f"rollcall-{result.name}-{table.name}.csv", pieces


def _lines(rows: Rows) -> bytes:
    out = io.StringIO()
    # All text is quoted, because some spreadsheets also split cells at semicolons or tabs.
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerows([_inert(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def _object(table: ViewTable, row: Any) -> dict[str, Any]:
    cells = dict(zip(table.columns, row, strict=True))
    if "json" in cells:
        cells["json"] = msgspec.Raw(cells["json"].encode())
    return cells


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

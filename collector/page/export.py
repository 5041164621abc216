"""A view for programs: the whole view as JSON, or one of its tables as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec

from collector.base.times import write_time
from collector.page.event_json import JsonText
from collector.page.period import iso
from collector.page.request import PageError
from collector.page.view_types import Cell, Rows, ViewRequest, ViewResult, ViewTable, time_text

# Bytes of an answer that are sent at once; the first ones earlier, so that nobody waits long for them.
LARGE_PIECE, FIRST_PIECE = 64 * 1024, 4096
# A spreadsheet runs a cell that starts like this as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def view_as_json(view: ViewRequest, result: ViewResult, wanted: str | None) -> Iterator[bytes]:
    """The view's data, and the wanted table (or each) with every row it has, rows as objects."""
    period = view.period
    tables = [_table(result, wanted)] if wanted else result.tables
    root = {
        "view": result.name,
        "source": view.source.name,
        "period": {"name": period.name, "from": iso(period.first), "to": iso(period.last)},
        "environment": view.environment,
        "at": write_time(view.now),
        "countedUntil": time_text(view.counted_until),
        **result.data,
    }
    head = msgspec.json.format(msgspec.json.encode(root), indent=1).removesuffix(b"\n}")
    return in_large_pieces(chain([head], _tables_as_json(tables), [b"\n }\n}\n"]))


def _tables_as_json(tables: Sequence[ViewTable]) -> Iterator[bytes]:
    opening = b',\n "tables": {\n  '
    for table in tables:
        yield opening + msgspec.json.encode(table.name) + b": ["
        opening = b",\n  "
        comma = b"\n   "
        for rows in table.pieces():
            if rows:
                yield comma + b",\n   ".join(msgspec.json.encode(_object(table, row)) for row in rows)
                comma = b",\n   "
        yield b"]"


def in_large_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, in pieces that are worth being sent. If the first one is smaller, it is all."""
    waiting, size, enough = list[bytes](), 0, FIRST_PIECE
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= enough:
            yield b"".join(waiting)
            waiting, size, enough = [], 0, LARGE_PIECE
    if waiting:
        yield b"".join(waiting)


def table_as_csv(result: ViewResult, wanted: str | None) -> tuple[str, Iterator[bytes]]:
    """A file name, and the wanted table (or the first one) as CSV, with every row it has."""
    table = _table(result, wanted) if wanted else result.tables[0]
    pieces = in_large_pieces(map(_lines, chain([[table.columns]], table.pieces())))
    return f"rollcall-{result.name}-{table.name}.csv", pieces


def _table(result: ViewResult, name: str) -> ViewTable:
    for table in result.tables:
        if table.name == name:
            return table
    raise PageError(404, f"`table` must be one of {', '.join(one.name for one in result.tables)}.")


def _lines(rows: Rows) -> bytes:
    out = io.StringIO()
    # All text is quoted, because some spreadsheets also split cells at semicolons or tabs.
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerows([_inert(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def _object(table: ViewTable, row: Any) -> dict[str, Any]:
    return {
        name: msgspec.Raw(cell.encode()) if isinstance(cell, JsonText) else cell
        for name, cell in zip(table.columns, row, strict=True)
    }


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

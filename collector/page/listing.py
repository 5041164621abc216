"""A table whose rows are all known: sorted, searched and shown page by page, as the address says.

In the address, `versions.sort=-failed`, `versions.find=2.1` and `versions.page=2` are of table `versions`.
Sorting and searching hold for its JSON and CSV too. A list that the store reads page by page is sorted in the
same way (order.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from collector.base.versions import VersionKey, version_key
from collector.page.order import SortedTable
from collector.page.view_types import PAGE_ROWS, Cell, ViewRequest, ViewTable

T = TypeVar("T")
# A shorter table has no search.
LONG = 10


@dataclass(frozen=True)
class Listing(SortedTable, Generic[T]):
    """One page of a table, and the table with all rows that were searched for."""

    table: ViewTable
    shown: Sequence[T]
    find: str
    page: int
    pages: int
    total: int  # rows before the search

    @property
    def searchable(self) -> bool:
        return self.total > LONG


def list_rows(view: ViewRequest, table: ViewTable, things: Sequence[T]) -> Listing[T]:
    """The page of a table that the address asks for; `things` are what its rows are of."""
    ask = {name: view.query.get(f"{table.name}.{name}", "") for name in ("sort", "find", "page")}
    sort, find = ask["sort"], ask["find"].strip()
    pairs = list(zip(table.rows, things, strict=True))
    if find:
        pairs = [pair for pair in pairs if _has(pair[0], find.lower())]
    column = sort.removeprefix("-")
    if column in table.columns:
        place = table.columns.index(column)
        pairs.sort(key=lambda pair: _key(pair[0][place]), reverse=sort.startswith("-"))
        pairs.sort(key=lambda pair: pair[0][place] is None)
    pages = max(1, -(-len(pairs) // PAGE_ROWS))
    page = min(int(ask["page"]), pages) if ask["page"].isdecimal() and len(ask["page"]) < LONG else 1
    page = max(page, 1)
    shown = [thing for _, thing in pairs[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]]
    whole = replace(table, rows=[row for row, _ in pairs])
    sorted_by = (table.name, table.name, sort if column in table.columns else "")
    return Listing(*sorted_by, whole, shown, find, page, pages, len(things))


def _has(row: Sequence[Cell], text: str) -> bool:
    return any(text in cell.lower() for cell in row if isinstance(cell, str))


def _key(cell: Cell) -> tuple[bool, float, VersionKey]:
    if isinstance(cell, str):
        return True, 0, version_key(cell)
    return False, cell or 0, (False, ())

"""A table whose rows are all known: sorted, searched and shown page by page, as the address says.

In the address, `versions.sort=-failed`, `versions.find=2.1` and `versions.page=2` are of table `versions`.
Sorting and searching hold for its JSON and CSV too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from collector.base.versions import VersionKey, version_key
from collector.page.view_types import PAGE_ROWS, Cell, ViewRequest, ViewTable

T = TypeVar("T")
# A shorter table has no search.
LONG = 10


@dataclass(frozen=True)
class Listing(Generic[T]):
    """One page of a table, and the table with all rows that were searched for."""

    table: ViewTable
    shown: Sequence[T]
    sort: str  # the column, with a minus if its greatest value comes first
    find: str
    page: int
    pages: int
    total: int  # rows before the search

    @property
    def searchable(self) -> bool:
        return self.total > LONG

    def parameter(self, name: str) -> str:
        """The name of a parameter in the address."""
        return f"{self.table.name}.{name}"

    def sorted_by(self, column: str) -> str:
        """`ascending`, `descending` or empty."""
        return {column: "ascending", f"-{column}": "descending"}.get(self.sort, "")

    def next_sort(self, column: str, *, number: bool) -> str:
        """What a click on a column sorts by: numbers from the greatest, texts from the first."""
        first, second = (f"-{column}", column) if number else (column, f"-{column}")
        return second if self.sort == first else first


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
    page = min(int(ask["page"]), pages) if ask["page"].isdigit() and len(ask["page"]) < LONG else 1
    page = max(page, 1)
    shown = [thing for _, thing in pairs[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]]
    whole = replace(table, rows=[row for row, _ in pairs])
    return Listing(whole, shown, sort if column in table.columns else "", find, page, pages, len(things))


def _has(row: Sequence[Cell], text: str) -> bool:
    return any(text in cell.lower() for cell in row if isinstance(cell, str))


def _key(cell: Cell) -> tuple[bool, float, VersionKey]:
    if isinstance(cell, str):
        return True, 0, version_key(cell)
    return False, cell or 0, (False, ())

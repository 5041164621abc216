"""The order of a table, as its head shows it and the address names it; and of a list that the store reads.

`versions.sort=-failed` sorts table `versions` by column `failed`, the greatest value first. The store reads
its lists by a time, from either end: they are sorted by that time alone, and `before` is where a page ended.
"""

from __future__ import annotations

from dataclasses import dataclass

from collector.page.request import PageError
from collector.page.view_types import ViewRequest
from collector.store.stretch import Place
from collector.store.values import NO_PAGE


@dataclass(frozen=True)
class SortedTable:
    """What the head of a table needs."""

    name: str
    anchor: str  # the place on the page to which its links lead
    sort: str  # the column, with a minus if its greatest value comes first

    def parameter(self, name: str) -> str:
        """The name of a parameter in the address."""
        return f"{self.name}.{name}"

    def sorted_by(self, column: str) -> str:
        """`ascending`, `descending` or empty."""
        return {column: "ascending", f"-{column}": "descending"}.get(self.sort, "")

    def next_sort(self, column: str, *, number: bool) -> str:
        """What a click on a column sorts by: numbers from the greatest, texts from the first."""
        first, second = (f"-{column}", column) if number else (column, f"-{column}")
        return second if self.sort == first else first


@dataclass(frozen=True)
class ListOrder(SortedTable):
    """The order of a list by time, either end first."""

    @property
    def oldest_first(self) -> bool:
        return not self.sort.startswith("-")

    @property
    def further(self) -> str:
        """What the link to the next page says."""
        return "Later" if self.oldest_first else "Earlier"

    def start(self, view: ViewRequest, low: Place, high: Place) -> Place:
        """Where the page begins that the address asks for, of a list from one place to another."""
        if not self.oldest_first:
            return min(view.before_id, high)
        return low if view.before == NO_PAGE else max(view.before_id, low)

    def ends(self, end: Place, high: Place) -> tuple[Place, Place | None]:
        """`before` and `after` of the store's question for what follows a page that ended there."""
        return (high, end) if self.oldest_first else (end, None)


def list_order(
    view: ViewRequest, table: str, column: str, anchor: str, *, oldest_first: bool = False
) -> ListOrder:
    """The order that the address names for a table. PageError if the table is not sorted by that."""
    choices = (column, f"-{column}") if oldest_first else (f"-{column}", column)
    sort = view.query.get(f"{table}.sort") or choices[0]
    if sort not in choices:
        raise PageError(400, f"`{table}.sort` must be one of {', '.join(choices)}.")
    return ListOrder(table, anchor, sort)

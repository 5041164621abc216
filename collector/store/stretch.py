"""A part of a list by time and id: what lies between two places, and from which side it is read."""

from __future__ import annotations

from dataclasses import dataclass

# A time and an id.
Place = tuple[int, bytes]
# Behind every id.
_LAST_ID = b"\xff" * 16


@dataclass(frozen=True)
class Stretch:
    """What lies after one place and before another; the latest comes first, or the oldest."""

    low: Place
    high: Place
    oldest_first: bool

    @property
    def values(self) -> tuple[int, bytes, int, bytes]:
        """The values of the condition."""
        return (*self.low, *self.high)

    def where(self, time: str, key: str = "id") -> str:
        """The condition on two columns, in SQL."""
        return f"({time}, {key}) > (?, ?) AND ({time}, {key}) < (?, ?)"

    def order(self, time: str, key: str = "id") -> str:
        """The order by the same columns."""
        way = "ASC" if self.oldest_first else "DESC"
        return f"ORDER BY {time} {way}, {key} {way}"


def stretch_of(since: int, before: Place, after: Place | None) -> Stretch:
    """What lies since a time and before a place, the latest first. With `after`, from there on."""
    start = (since - 1, _LAST_ID)
    return Stretch(max(start, after or start), before, oldest_first=after is not None)

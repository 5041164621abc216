"""The sources, and whether anything came from them."""

from __future__ import annotations

from dataclasses import dataclass

from collector.store import ControlStore, Stores


@dataclass(frozen=True)
class Source:
    """A source; `heard` is whether it has ever sent an event, be it one that was rejected."""

    id: int
    name: str
    heard: bool


class SourceList:
    """The sources. It remembers which have sent an event, so that a view need not ask that again."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._heard: set[int] = set()

    def all(self) -> list[Source]:
        """Every source by name."""
        sql = (
            "SELECT s.id, s.name, CASE WHEN EXISTS (SELECT 1 FROM rejects r WHERE r.source = s.id)"
            " THEN 1 ELSE 0 END FROM sources s ORDER BY s.name"
        )
        rows = self._stores.control.all(sql)
        unknown = [number for number, _, rejected in rows if not rejected and number not in self._heard]
        if unknown:
            self._heard.update(self._stores.events.sources_heard(unknown))
        return [
            Source(number, name, bool(rejected) or number in self._heard) for number, name, rejected in rows
        ]


def source_names(control: ControlStore) -> list[str]:
    """The name of every source."""
    return [name for (name,) in control.all("SELECT name FROM sources ORDER BY name")]


def source_numbers(control: ControlStore) -> list[int]:
    """The number of every source."""
    return [number for (number,) in control.all("SELECT id FROM sources")]

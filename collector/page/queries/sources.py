"""The sources, and whether anything came from them."""

from __future__ import annotations

from dataclasses import dataclass

from collector.store import Store


@dataclass(frozen=True)
class Source:
    """A source; `heard` is whether it has ever sent an event, be it one that was rejected."""

    id: int
    name: str
    heard: bool


def all_sources(store: Store) -> list[Source]:
    sql = (
        "SELECT s.id, s.name, CASE WHEN EXISTS (SELECT 1 FROM daily d WHERE d.source = s.id)"
        " OR EXISTS (SELECT 1 FROM rejects r WHERE r.source = s.id)"
        " THEN 1 ELSE 0 END FROM sources s ORDER BY s.name"
    )
    return [Source(number, name, bool(heard)) for number, name, heard in store.all(sql)]

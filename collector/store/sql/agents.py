"""Versions of the agent: what the latest heartbeats of a day say of the library that sent them."""

from __future__ import annotations

from collections import Counter

from collector.store.beats import library_of
from collector.store.database import Database
from collector.store.sql.beats import read_day
from collector.store.sql.days import days_of
from collector.store.sql.shapes import Shapes

# Of a large fleet these are a sample: its heartbeats are spread over the day.
LOOKED_AT = 20_000

_BY_SHAPE = (
    "SELECT shape, COUNT(*) FROM"
    " (SELECT shape, ROW_NUMBER() OVER (PARTITION BY who ORDER BY id DESC) AS place FROM"
    " (SELECT who, id, shape FROM {} WHERE source = ? ORDER BY id DESC LIMIT ?) AS latest) AS placed"
    " WHERE place = 1 GROUP BY shape"
)


def agents_on(database: Database, shapes: Shapes, source: int, day: int) -> Counter[str]:
    """Instances by the library of their latest heartbeat, among the latest of a day."""
    found: Counter[str] = Counter()
    if day in days_of(database, source):
        for shape, count in read_day(database, day, _BY_SHAPE, source, LOOKED_AT):
            found[library_of(shapes.text_of(shape))] += int(count)
    return found

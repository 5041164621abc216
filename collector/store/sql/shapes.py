"""The shapes of heartbeats: their JSON without ids and times, and the write key that they came with.

A process remembers the numbers of shapes for a day, and notes in the database on which day it used them. So a
shape that no heartbeat needs can be deleted, though other processes remember some.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from collector.base.times import DAY_MS
from collector.store.database import Database, Transaction

# A stranger may make shapes up. What comes in more of them is kept with its text.
MOST_SHAPES = 1000
# For events that came with no key; keys have numbers from 1.
NO_KEY = 0
# A process may still use what it remembered yesterday, and a heartbeat may be of a day after its receipt.
_SPARED_DAYS = 2

_Shape = tuple[int, int, str]  # source, key, text


class Shapes:
    """Numbers for shapes and shapes for numbers; each is asked for once a day."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock
        self._lock = threading.Lock()
        self._today = 0
        self._numbers: dict[_Shape, int] = {}
        self._full: dict[int, set[_Shape]] = {}  # by source: its shapes when it had too many
        self._texts: dict[int, str] = {}

    def number_of(self, source: int, key: int | None, text: str) -> int | None:
        """The number of a shape; None if its source has too many. Not inside a transaction."""
        today = int(self._clock() * 1000) // DAY_MS
        if today != self._today:
            # Texts too: SQLite gives a number again that a deleted shape had.
            self._today, self._numbers, self._full, self._texts = today, {}, {}, {}
        shape = (source, key or NO_KEY, text)
        number = self._numbers.get(shape)
        if number is not None or shape not in self._full.get(source, {shape}):
            return number
        with self._lock, self._database.transaction() as tx:
            number = _find_or_make(tx, shape, today)
        if number is None:
            rows = self._database.all("SELECT source, key, text FROM shapes WHERE source = ?", source)
            self._full[source] = set(rows)
        else:
            self._numbers[shape], self._texts[number] = number, text
        return number

    def text_of(self, number: int) -> str:
        """The text of a shape."""
        texts = self._texts
        if number not in texts:
            texts = self._texts = dict(self._database.all("SELECT number, text FROM shapes"))
        return texts[number]


def shapes_of_key(database: Database | Transaction, key: int) -> dict[int, list[int]]:
    """The numbers of the shapes that came with a key, by source."""
    found: dict[int, list[int]] = {}
    for source, number in database.all("SELECT source, number FROM shapes WHERE key = ?", key):
        found.setdefault(source, []).append(number)
    return found


def delete_unused_shapes(tx: Transaction, today: int) -> None:
    """Delete the shapes that were used last before the first day that has heartbeats."""
    (first,) = tx.all("SELECT MIN(day) FROM beat_days")[0]
    oldest = today if first is None else min(first, today)
    tx.execute("DELETE FROM shapes WHERE used < ?", oldest - _SPARED_DAYS)


def _find_or_make(tx: Transaction, shape: _Shape, today: int) -> int | None:
    find = "SELECT number, used FROM shapes WHERE source = ? AND key = ? AND text = ?"
    if not tx.all(find, *shape):
        tx.wait_for_turn(shape[0])
        (count,) = tx.all("SELECT COUNT(*) FROM shapes WHERE source = ?", shape[0])[0]
        if count >= MOST_SHAPES:
            return None
        tx.execute(
            "INSERT INTO shapes (source, key, text, used) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (source, key, text) DO NOTHING",
            *shape,
            today,
        )
    number, _ = tx.all(find, *shape)[0]
    tx.execute("UPDATE shapes SET used = ? WHERE number = ? AND used < ?", today, number, today)
    return int(number)

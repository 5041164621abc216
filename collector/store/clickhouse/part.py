"""What the parts of the store have in common."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from collector.store.clickhouse.client import Client
from collector.store.clickhouse.number_cache import CachedNumbers
from collector.store.clickhouse.past import KNOWN_SECONDS, Past, read_past
from collector.store.clickhouse.sightings import fleet
from collector.store.clickhouse.tables import has_instances
from collector.store.scope import EnvironmentScope

if TYPE_CHECKING:
    from typing_extensions import Self


class ClickHousePart(EnvironmentScope):
    """The questions of one subject, asked of a server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known = (-KNOWN_SECONDS, Past())  # when it was read, and the past
        self.cached = CachedNumbers()
        self._ages: list[int] | None = None  # when the cached numbers were counted that this scope gave
        self._ready = False  # whether the table of instances has all of them

    def within(self, environment: str) -> Self:
        other = super().within(environment)
        other._ages = []  # noqa: SLF001 - it is a copy of this one
        return other

    def counted_until(self) -> int | None:
        return min(self._ages or (), default=None)

    def note_age(self, at: int) -> None:
        """A number is given that was counted at a time; only what `within` made is asked for that."""
        if self._ages is not None:
            self._ages.append(at)

    def instances_of(self, source: int) -> int:
        """How many instances a source has, about: some may count twice."""
        ((count,),) = self._client.rows("SELECT count() AS n FROM instances WHERE source = ?", source)
        return int(count)

    def _past(self) -> Past:
        """The batch that counts, as it was a moment ago: nothing is deleted before everybody knows."""
        now = time.monotonic()
        if now - self._known[0] >= KNOWN_SECONDS:
            self._known = (now, read_past(self._client))
        return self._known[1]

    def _forget_past(self) -> None:
        """Read it anew for the next question, and all that is cached."""
        self.cached.drop()
        self._known = (-KNOWN_SECONDS, Past())

    def _instances_in(self, past: Past, source: int, where: str) -> str:
        """The instances of a source that meet a condition, as SQL."""
        self._ready = self._ready or has_instances(self._client)
        return fleet(past, source, ready=self._ready, where=where)

    def _counters(self, past: Past, source: int, kind: str) -> list[tuple[int, int, str, int]]:
        """What is counted of one kind of all that has expired whole: two numbers, a word, and how many."""
        if not past.batch:
            return []
        sql = (
            "SELECT a, b, word, sum(n) AS total FROM past_counters FINAL"
            " WHERE source = ? AND kind = ? AND batch <= ? GROUP BY a, b, word"
        )
        return [(a, b, word, n) for a, b, word, n in self._client.rows(sql, source, kind, past.batch)]

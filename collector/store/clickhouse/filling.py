"""Fills the table of instances from the events of before, and finds rows in it that are wrong.

Both read all events, the instances of one piece after another, so that these fit into the memory of a server.
To fill again what is there changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import catch_up
from collector.store.clickhouse.past import Past, read_past
from collector.store.clickhouse.sightings import (
    fill_instances,
    renew_instances,
    still_wrong,
    wrong_instances,
)
from collector.store.clickhouse.tables import has_instances, note_version
from collector.store.events import Progress

# So many events are read for a piece, about.
PIECE_EVENTS = 2_000_000


def quietly(_: int) -> None:
    """No progress is told."""


class Filling:
    """What is left to fill in this process."""

    def __init__(self, client: Client, keeping: Lock) -> None:
        self._client, self._keeping = client, keeping
        self._left: list[str] | None = None  # pieces; None before the first

    def fill_some(self) -> int:
        """Fill a piece; returns about how many events are left."""
        if self._left is None:
            self._left = [] if has_instances(self._client) else [*self._pieces()]
        if self._left:
            fill_instances(self._client, self._past(), self._left[-1])
            self._left.pop()
            if not self._left:
                self._mend(quietly)  # another collector may have deleted events that were read here
                catch_up(self._client, "instances")
                note_version(self._client)
        return len(self._left) * PIECE_EVENTS

    def fill_all(self) -> None:
        """Fill what is left: a deletion finds the row of each instance."""
        while self.fill_some():
            pass

    def recount(self, progress: Progress) -> int:
        """Make the rows anew that are wrong; returns how many."""
        self.fill_all()
        return self._mend(progress)

    def _mend(self, progress: Progress) -> int:
        """The same, of what is there.

        An event that is kept meanwhile may be there, and what it says not yet. So what looks wrong is
        looked at again while nothing is kept.
        """
        wrong, pieces = 0, [*self._pieces()]
        for number, piece in enumerate(pieces, 1):
            for source, keys in wrong_instances(self._client, self._past(), piece).items():
                with self._keeping:
                    past = self._past()
                    found = still_wrong(self._client, past, source, keys)
                renew_instances(self._client, past, source, found)
                wrong += len(found)
            progress(self._count() * number // len(pieces))
        return wrong

    def _past(self) -> Past:
        catch_up(self._client, "events", "instances", "past_instances", "expiries")
        return read_past(self._client)

    def _count(self) -> int:
        ((count,),) = self._client.rows("SELECT count() AS n FROM events WHERE seq > 0")
        return int(count)

    def _pieces(self) -> Iterator[str]:
        """Conditions on a `key`, which divide the instances."""
        amount = self._count() // PIECE_EVENTS + 1
        return (f"cityHash64({{0}}) % {amount} = {piece}" for piece in range(amount))

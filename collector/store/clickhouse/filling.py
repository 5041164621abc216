"""Fills the table of instances from the events of before, and finds rows in it that are wrong.

Both read all events, the instances of one piece after another, so that these fit into the memory of a server.
To fill again what is there changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
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


class Filling:
    """What is left to fill in this process."""

    def __init__(self, client: Client, keeping: Lock) -> None:
        self._client, self._keeping = client, keeping
        self._left: list[Callable[[], object]] | None = None  # None before the first

    def fill_some(self) -> int:
        """Take a step; returns about how many events are left to read."""
        if self._left is None:
            self._left = [] if has_instances(self._client) else self._steps()
        if self._left:
            self._left[-1]()  # again, if it fails
            self._left.pop()
        return len(self._left) * PIECE_EVENTS

    def fill_all(self) -> None:
        """Fill what is left: a deletion finds the row of each instance."""
        while self.fill_some():
            pass

    def recount(self, progress: Progress) -> int:
        """Make the rows anew that are wrong; returns how many."""
        self.fill_all()
        wrong, pieces = 0, [*self._pieces()]
        for number, piece in enumerate(pieces, 1):
            wrong += self._mend(piece)
            progress(self._count() * number // len(pieces))
        return wrong

    def _steps(self) -> list[Callable[[], object]]:
        """What there is to do, the last step first.

        Another collector may delete events after they were read for the table. So its rows are looked at too.
        """
        pieces = [*self._pieces()]
        fill, mend = ([partial(step, piece) for piece in pieces] for step in (self._fill, self._mend))
        return [self._finish, *mend, *fill]

    def _fill(self, piece: str) -> None:
        fill_instances(self._client, self._past(), piece)

    def _finish(self) -> None:
        catch_up(self._client, "instances")
        note_version(self._client)

    def _mend(self, piece: str) -> int:
        """Make the rows of a piece anew that are wrong; returns how many.

        An event that is kept meanwhile may be there, and what it says not yet. So what looks wrong is
        looked at again while nothing is kept.
        """
        wrong = 0
        for source, keys in wrong_instances(self._client, self._past(), piece).items():
            with self._keeping:
                past = self._past()
                found = still_wrong(self._client, past, source, keys)
            renew_instances(self._client, past, source, found)
            wrong += len(found)
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

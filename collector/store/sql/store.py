"""The event store in SQLite or PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from secrets import randbits

from collector.base.events import Event
from collector.store.database import Database
from collector.store.events import EventStore, Progress, SourcedBody
from collector.store.sql.events import EventQuestions
from collector.store.sql.expiry import expire_events
from collector.store.sql.folding import counted_until, fold_some
from collector.store.sql.forgetting import forget_instance
from collector.store.sql.history import HistoryQuestions
from collector.store.sql.installs import InstallQuestions
from collector.store.sql.instances import InstanceQuestions
from collector.store.sql.keeping import keep_events
from collector.store.sql.marks import last_run
from collector.store.sql.narrowing import narrow_some
from collector.store.sql.recount import recount
from collector.store.sql.removal import remove_events
from collector.store.sql.run_lists import RunListQuestions
from collector.store.sql.transfer import stored_bodies
from collector.store.values import Cutoffs, Expired, Expiry, Forgotten, Space

# Processes with the same lane are right as well, but wait for each other.
LANE_BITS = 31


class SqlEventStore(
    InstanceQuestions, HistoryQuestions, InstallQuestions, RunListQuestions, EventQuestions, EventStore
):
    """Keeps events in the tables of a database, where the control store may have its own."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        super().__init__(database, clock)
        self._lane = randbits(LANE_BITS)

    def keep(self, events: Iterable[Event]) -> int:
        return keep_events(self._database, self._shapes, events, self._lane)

    def fold(self) -> int:
        return fold_some(self._database)

    def counted_until(self) -> int | None:
        return counted_until(self._database)

    def export(self) -> Iterator[list[SourcedBody]]:
        return stored_bodies(self._database, self._shapes)

    def forget(self, source: int, who: bytes) -> Forgotten:
        return forget_instance(self._database, source, who)

    def expire(self, before: Cutoffs, now: int, progress: Progress) -> Expired:
        return expire_events(self._database, before, now, progress)

    def last_expiry(self) -> Expiry:
        return last_run(self._database)

    def remove(self, key: int, since: int, until: int, progress: Progress) -> int:
        return remove_events(self._database, key, since, until, progress)

    def recount(self, progress: Progress) -> int:
        return recount(self._database, progress)

    def renew(self) -> int:
        return narrow_some(self._database, self._shapes)

    def ping(self) -> None:
        self._database.all("SELECT 1")

    def space(self) -> Space:
        return self._database.space()

    def tidy(self) -> None:
        self._database.tidy()

    def close(self) -> None:
        self._database.close()

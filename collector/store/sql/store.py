"""The event store in SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from collector.base.events import Event
from collector.store.events import EventStore, Progress
from collector.store.sql.events import EventQuestions
from collector.store.sql.expiry import expire_events
from collector.store.sql.forgetting import forget_instance
from collector.store.sql.installs import InstallQuestions
from collector.store.sql.instances import InstanceQuestions
from collector.store.sql.keeping import keep_events
from collector.store.sql.removal import remove_events
from collector.store.sql.transfer import stored_bodies
from collector.store.values import Forgotten, Space


class SqlEventStore(InstanceQuestions, InstallQuestions, EventQuestions, EventStore):
    """Keeps events in the tables of a database, where the control store may have its own."""

    def keep(self, events: Iterable[Event]) -> int:
        return keep_events(self._database, self._shapes, events)

    def export(self) -> Iterator[list[str]]:
        return stored_bodies(self._database, self._shapes)

    def forget(self, source: int, who: bytes) -> Forgotten:
        return forget_instance(self._database, source, who)

    def expire(self, before: int, now: int, progress: Progress) -> int:
        return expire_events(self._database, before, now, progress)

    def remove(self, key: int, since: int, until: int, progress: Progress) -> int:
        return remove_events(self._database, key, since, until, progress)

    def ping(self) -> None:
        self._database.all("SELECT 1")

    def space(self) -> Space:
        return self._database.space()

    def tidy(self) -> None:
        self._database.tidy()

    def close(self) -> None:
        self._database.close()

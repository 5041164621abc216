"""The event store in ClickHouse: what it can do, each in a module of its subject."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from collector.base.events import Event
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.client import PATIENT_SECONDS, SOON_SECONDS, Client
from collector.store.clickhouse.cluster import join_cluster
from collector.store.clickhouse.deletion import forget_instance, remove_events
from collector.store.clickhouse.event_rows import Numbers
from collector.store.clickhouse.events import EventQuestions
from collector.store.clickhouse.expiry import LastLook, expire_events, last_expiry
from collector.store.clickhouse.filling import Filling
from collector.store.clickhouse.frozen import FrozenServers
from collector.store.clickhouse.history import HistoryQuestions
from collector.store.clickhouse.instances import InstanceQuestions
from collector.store.clickhouse.keeping import keep_events
from collector.store.clickhouse.run_lists import RunListQuestions
from collector.store.clickhouse.runs import InstallQuestions
from collector.store.clickhouse.tables import make_tables
from collector.store.errors import StoreError
from collector.store.events import EventStore, Progress
from collector.store.values import Cutoffs, Expired, Expiry, Forgotten, Space


class ClickHouseEventStore(
    InstanceQuestions, HistoryQuestions, InstallQuestions, RunListQuestions, EventQuestions, EventStore
):
    """Keeps events in ClickHouse. StoreError if the URL is wrong, StoreUnavailable if no server answers."""

    counts_apart = False
    pause_seconds = 1.0  # each insert is a part, and parts have to be merged

    def __init__(self, url: str, password: str = "") -> None:
        address = read_address(url, password)
        frozen = FrozenServers()
        super().__init__(Client(address, frozen=frozen))
        self._soon = Client(address, SOON_SECONDS, frozen)  # for what senders and probes wait for
        self._patient = Client(address, PATIENT_SECONDS, frozen, PATIENT_SECONDS)  # for what nobody waits for
        # One insert at a time: a few large ones are what ClickHouse likes. And one deletion at a time.
        self._keeping, self._deleting = threading.Lock(), threading.Lock()
        self._numbers, self._filling = Numbers(), Filling(self._client, self._keeping)
        self._look = LastLook()
        try:
            if self._client.cluster:
                join_cluster(self._soon, self._client, self._patient)
            make_tables(self._soon)
        except StoreError:
            self.close()
            raise

    def keep(self, events: Iterable[Event]) -> int:
        with self._keeping:
            return keep_events(self._soon, self._numbers, events)

    def fold(self) -> int:
        return 0

    def forget(self, source: int, who: bytes) -> Forgotten:
        with self._deleting:
            self._filling.fill_all()
            try:
                return forget_instance(self._client, source, who)
            finally:
                self._forget_past()

    def expire(self, before: Cutoffs, now: int, progress: Progress) -> Expired:
        with self._deleting:
            self._filling.fill_all()
            try:
                return expire_events(self._patient, self._numbers, before, now, progress, look=self._look)
            finally:
                self._forget_past()

    def last_expiry(self) -> Expiry:
        return last_expiry(self._client)

    def remove(self, key: int, since: int, until: int, progress: Progress) -> int:
        with self._deleting:
            self._filling.fill_all()
            try:
                count = remove_events(self._patient, key, since, until, progress)
                if not count:  # one that was interrupted may have left rows of instances as they were
                    self._filling.recount(lambda _: None)
                return count
            finally:
                self._forget_past()

    def recount(self, progress: Progress) -> int:
        """Make the rows of instances anew that are not what their events say."""
        with self._deleting:
            return self._filling.recount(progress)

    def renew(self) -> int:
        with self._deleting:
            return self._filling.fill_some()

    def ping(self) -> None:
        self._soon.rows("SELECT 1 AS one")

    def space(self) -> Space:
        """What the servers take that answer soon."""
        sql = "SELECT sum(bytes) AS n FROM system.parts WHERE database = ? AND active"
        found = self._client.rows_of_each(sql, self._client.database, database=False)
        return Space(sum(used for ((used,),) in found), None)

    def tidy(self) -> None:
        """Nothing: what was deleted is gone when the deletion returns."""

    def close(self) -> None:
        self.cached.close()
        self._client.close()
        self._soon.close()
        self._patient.close()

"""The part of an event store's interface that tells of single events, and of their names."""

from __future__ import annotations

from abc import ABC, abstractmethod

from collector.store.values import PageEnd, StoredEvent


class EventLists(ABC):
    """What is asked of events. Lists take the latest first, or the oldest."""

    @abstractmethod
    def latest_events(
        self, source: int, end: PageEnd, most: int, *, oldest_first: bool = False
    ) -> list[StoredEvent]:
        """The latest or oldest events by arrival; heartbeats of the agent may stand where they were made.

        `end` is where a page of the same order ended; a list of the oldest begins with FIRST_PAGE.
        """

    @abstractmethod
    def events_named(
        self, source: int, name: str, end: PageEnd, most: int, *, oldest_first: bool = False
    ) -> list[StoredEvent]:
        """The latest or oldest events with a name, by time; heartbeats by the time in their ids."""

    @abstractmethod
    def events_of_instance(
        self, source: int, who: bytes, name: str, end: PageEnd, most: int, *, oldest_first: bool = False
    ) -> list[StoredEvent]:
        """The latest or oldest events of an instance, by time; only those with a name, if one is given.

        They may be fewer than `most`, and still go on. There are none only at the end.
        """

    @abstractmethod
    def events_of_run(self, source: int, key: bytes, most: int) -> list[StoredEvent]:
        """The events of a run, in the order in which they happened."""

    @abstractmethod
    def event_names(self, source: int, most: int) -> list[str]:
        """The names of events in the last days that have any, most frequent first."""

    @abstractmethod
    def count_by_name(self, source: int, first: int, last: int, most: int) -> list[tuple[str, int]]:
        """The names of events of a period, most frequent first, and how many there were."""

    @abstractmethod
    def count_by_day(self, source: int, name: str, first: int, last: int) -> dict[int, int]:
        """The events with a name, by the day on which they happened."""

    @abstractmethod
    def count_all_by_day(self, source: int) -> dict[int, int]:
        """All events, by the day on which they happened."""

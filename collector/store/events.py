"""The interface of an event store: it keeps events, and answers questions about them.

Days are counted from 1970 (UTC), and times are milliseconds since then. A period is its first and last day.
No SQL crosses this interface, so that an engine needs none.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from collector.base.events import Event
from collector.store.event_lists import EventLists
from collector.store.fleet import Census, Instance, InstanceFilter, InstancesEnd
from collector.store.history import FleetHistory
from collector.store.runs import FailedRuns, Failure, Place, Run, RunCounts, RunFilter, RunsEnd
from collector.store.scope import EnvironmentScope
from collector.store.values import (
    Cutoffs,
    Expired,
    Expiry,
    Forgotten,
    KeyUsage,
    Space,
)

# Is told how many events were deleted, or rows were read, so far. What it raises ends the work after a
# transaction.
Progress = Callable[[int], None]
# The number of the source that an event came from, and its JSON.
SourcedBody = tuple[int, str]


class EventStore(EnvironmentScope, EventLists):
    """Where events are kept, and what is counted of them. StoreError if it does not answer.

    Numbers and lists of instances and of runs are about one environment (`within`). Single ones, requests for
    help and events are found in all.

    Even a question may write. So nothing here is called inside a transaction of the control store.
    """

    # Whether kept events wait to be counted by a fold. If not, they are counted as they are kept.
    counts_apart = True
    # How many seconds lie between two `keep`s, in the long run, if the store is to stay fast.
    pause_seconds = 0.0

    @abstractmethod
    def keep(self, events: Iterable[Event]) -> int:
        """Store each event exactly once, also if it came and has expired; returns how many were new.

        When this returns, all of them are on disk. When it raises, none of them is. Each is counted exactly
        once, by a fold.
        """

    @abstractmethod
    def fold(self) -> int:
        """Count some of the kept events that wait; returns how many. 0 if another counts, or none waits.

        A question that needs what is counted counts a few events first. A deletion counts all.
        """

    @abstractmethod
    def counted_until(self) -> int | None:
        """Events received from this time on may be in no number yet; None if each is.

        A store may cache numbers. Then this tells how old those are that a store made by `within` has given.
        """

    # What is there, and who added it.

    @abstractmethod
    def sources_heard(self, sources: Iterable[int]) -> set[int]:
        """Those of the sources from which any event came."""

    @abstractmethod
    def usage_since(self, hour: int) -> list[KeyUsage]:
        """What each write key has added in each hour since one, counted from 1970."""

    # All instances.

    @abstractmethod
    def census(self, source: int, now: int) -> Census:
        """Count the instances of a source at this moment."""

    @abstractmethod
    def keep_census(self, source: int, census: Census | None) -> None:
        """Keep a census for the next start, in place of an older one; None drops it."""

    @abstractmethod
    def kept_censuses(self) -> dict[int, Census]:
        """Those that are kept, by source. What expires or is removed takes them all with it."""

    @abstractmethod
    def active_by_day(self, source: int, span: int, first: int, last: int) -> dict[int, tuple[int, int]]:
        """For each day, the instances active in the `span` days up to it: (short-lived, established)."""

    def agents_on(self, source: int, day: int) -> Counter[str]:
        """Instances that sent a heartbeat as the agent does, by the version of the agent that sent the last.

        The ids of heartbeats say of which day they are. Of a large fleet it is a sample. An engine that keeps
        no versions of the agent has none.
        """
        del source, day
        return Counter()

    @abstractmethod
    def new_instances_by_week(self, source: int, first_week: int) -> dict[int, int]:
        """Established instances by the week of their first event."""

    @abstractmethod
    def retention_by_week(self, source: int, first_week: int) -> dict[tuple[int, int], int]:
        """Of the instances of each week, by later week: how many established ones beat in it."""

    @abstractmethod
    def fleet_history(self, source: int) -> FleetHistory:
        """The established instances on every day, by version and system. This reads them all.

        Versions come from installs, and from the upgrades that are kept.
        """

    # Single instances.

    @abstractmethod
    def list_instances(
        self,
        source: int,
        wanted: InstanceFilter,
        first: int,
        last: int,
        now: int,
        before: InstancesEnd,
        most: int,
        after: InstancesEnd | None = None,
    ) -> tuple[list[Instance], InstancesEnd | None]:
        """Instances of a filter, the latest seen first, and where the list goes on if it does.

        `new` and `returning` are states of a period. `before` is where the list ended before. With `after`,
        the list has those between the two, the first seen of them first, and `after` is where it ended
        before. A search may end before it has found `most`, and still go on.
        """

    @abstractmethod
    def find_instance(self, source: int, key: bytes) -> Instance | None:
        """The instance with an id."""

    @abstractmethod
    def instances_between(self, source: int, low: bytes, high: bytes, most: int) -> list[bytes]:
        """The ids of instances from one to another, both included, in their order."""

    # All runs of install scripts.

    @abstractmethod
    def run_counts_by_day(self, source: int, first: int, last: int, now: int) -> dict[int, RunCounts]:
        """Runs by the day on which they began."""

    @abstractmethod
    def run_counts_by_word(
        self, source: int, kind: str, first: int, last: int, now: int
    ) -> list[tuple[str, RunCounts]]:
        """Runs that began in a period by `version` or `system`, most frequent first; the rest as OTHER."""

    @abstractmethod
    def instances_with_installs(self, source: int, first: int, last: int) -> tuple[int, int]:
        """Instances with a run that began in a period and has ended, and those with one that succeeded."""

    @abstractmethod
    def worst_failures(self, source: int, first: int, last: int, most: int) -> list[Failure]:
        """The places where most of the runs that began in a period failed, the worst first."""

    @abstractmethod
    def find_failure(self, source: int, first: int, last: int, place: Place) -> Failure | None:
        """The failures at one place within a period; None if no run has ever failed there."""

    @abstractmethod
    def failure_trends(
        self, source: int, first: int, last: int, places: Sequence[Place]
    ) -> dict[str, dict[int, int]]:
        """Failed runs at these places, by the place's key and the day on which they began."""

    # Single runs.

    @abstractmethod
    def list_runs(
        self,
        source: int,
        wanted: RunFilter,
        since: int,
        before: RunsEnd,
        now: int,
        most: int,
        after: RunsEnd | None = None,
    ) -> tuple[list[Run], RunsEnd | None]:
        """Runs that began since a time, the latest first, and where the list goes on if it does.

        `before` is where the list ended before. With `after`, the list has those between the two, the oldest
        first, and `after` is where it ended before. A search may end before it has found `most`, and still
        go on.
        """

    @abstractmethod
    def runs_failed_at(
        self,
        source: int,
        place: Place,
        since: int,
        before: RunsEnd,
        most: int,
        after: RunsEnd | None = None,
    ) -> list[Run]:
        """The runs that began since a time and failed at a place, in the orders of `list_runs`."""

    @abstractmethod
    def failed_runs(self, source: int, first: int, last: int, most: int) -> list[FailedRuns]:
        """The runs that began in a period and failed, the latest ones, in groups."""

    @abstractmethod
    def first_days(self, source: int, kind: str, word: str = "") -> dict[str, int]:
        """The first day on which a run began with each `version` or `system` that is counted by itself.

        Of the `MOST_FIRST_DAYS` with the most runs, because strangers make up any number; or of one word.
        """

    @abstractmethod
    def runs_of_instance(self, source: int, instance: bytes, most: int) -> list[Run]:
        """The runs of an instance, the latest first."""

    @abstractmethod
    def asked_runs(
        self, source: int, after: RunsEnd, most: int, before: RunsEnd | None = None
    ) -> list[RunsEnd]:
        """When runs asked for help, and their ids, the earliest first. `after` is where a page ended.

        With `before`, those between the two, the latest first; then `before` is where a page ended.
        """

    @abstractmethod
    def find_runs(self, source: int, keys: Sequence[bytes]) -> list[Run]:
        """The runs with these ids, in any order."""

    @abstractmethod
    def runs_between(self, source: int, low: bytes, high: bytes, most: int) -> list[bytes]:
        """The ids of runs from one to another, both included, in their order."""

    def find_run(self, source: int, key: bytes) -> Run | None:
        """The run with an id."""
        return next(iter(self.find_runs(source, [key])), None)

    # Whole histories.

    @abstractmethod
    def export(self) -> Iterator[list[SourcedBody]]:
        """The source and the JSON of every stored event, oldest first, some at a time.

        The order is that of their arrival; heartbeats of the agent may stand where they were made.
        """

    @abstractmethod
    def forget(self, source: int, who: bytes) -> Forgotten:
        """Delete all that is stored of an instance, in one transaction, and its share of the counters."""

    @abstractmethod
    def expire(self, before: Cutoffs, now: int, progress: Progress) -> Expired:
        """Delete what was received before these times, and all that only that has left.

        Numbers by day stay, without the words of what was deleted. A heartbeat that came late may go with the
        day on which it was made. From then on, what may have been here already is not kept again.
        """

    @abstractmethod
    def last_expiry(self) -> Expiry:
        """When something expired last, and how much."""

    @abstractmethod
    def remove(self, key: int, since: int, until: int, progress: Progress) -> int:
        """Delete the events of a write key that were received since one time and before another.

        Every counter is right afterwards. Returns how many events were deleted.
        """

    @abstractmethod
    def recount(self, progress: Progress) -> int:
        """Make every counter anew from the events, instances and runs; returns how many were wrong.

        Others keep and count meanwhile. Numbers stay as they are where events have expired.
        """

    # The store itself.

    @abstractmethod
    def renew(self) -> int:
        """Store some events of an older version as this one does; 0 when it has looked at all of them.

        Others keep, count and ask meanwhile, and no answer changes. What it returns falls with each call,
        except while it has to wait.
        """

    @abstractmethod
    def ping(self) -> None:
        """StoreError if the store does not answer."""

    @abstractmethod
    def space(self) -> Space:
        """What the store takes now."""

    @abstractmethod
    def tidy(self) -> None:
        """Empty the log of writes, as far as nobody needs it: it takes disk, and has what was deleted."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

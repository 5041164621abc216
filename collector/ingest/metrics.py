"""Metrics for Prometheus: counts and times, and no names except those of sources."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from collector.ingest.writer import Tally

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The meters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "rollcall_request_seconds",
            "Time from the request's headers to its answer.",
            ["path", "status"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._events = Counter(
            "rollcall_events_received",
            "Events answered with 200, including repeated ones.",
            ["source"],
            registry=self._registry,
        )
        self._rejects = Counter(
            "rollcall_events_rejected",
            "Events that can never be taken, and requests that cannot be read.",
            ["source", "code"],
            registry=self._registry,
        )
        self._children: dict[tuple[str, int], Histogram] = {}

    def request(self, path: str, status: int, seconds: float) -> None:
        """One request of the tracking API was answered."""
        child = self._children.get((path, status))
        if child is None:
            child = self._children[path, status] = self._seconds.labels(path, str(status))
        child.observe(seconds)

    def received(self, source: str, events: int) -> None:
        """So many events of a source are on disk."""
        self._events.labels(source).inc(events)

    def rejected(self, source: str, code: str) -> None:
        """An event of a source can never be taken."""
        self._rejects.labels(source, code).inc()

    def watch(
        self,
        tally: Tally,
        waiting: Callable[[], int],
        away: Callable[[], bool],
        no_room: Callable[[], bool],
    ) -> None:
        """Read these when asked."""
        gauges: tuple[tuple[str, str, Callable[[], float]], ...] = (
            ("rollcall_events_stored", "New events written since the start.", lambda: tally.stored),
            (
                "rollcall_events_repeated",
                "Events that were already stored, since the start.",
                lambda: tally.repeated,
            ),
            ("rollcall_store_commits", "Transactions since the start.", lambda: tally.commits),
            ("rollcall_store_failures", "Transactions that failed since the start.", lambda: tally.failures),
            ("rollcall_store_up", "1 if the last transaction succeeded.", lambda: int(not away())),
            (
                "rollcall_taking_events",
                "0 while the disk has no room for events.",
                lambda: int(not no_room()),
            ),
            ("rollcall_waiting_bytes", "Bytes of requests waiting in memory.", waiting),
        )
        for name, meaning, read in gauges:
            Gauge(name, meaning, registry=self._registry).set_function(read)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)

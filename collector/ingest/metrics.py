"""Metrics for Prometheus: counts and times, and no names except those of sources."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)

from collector.ingest.member import Member
from collector.ingest.writer import Tally

# How a gauge of several workers becomes one.
_Together = Literal["sum", "livesum", "livemin"]
# The kinds of a worker's files of meters, and the room that each has from the start.
KINDS = ("counter", "histogram", "gauge_sum", "gauge_livesum", "gauge_livemin")
ROOM = 256 * 1024
REFRESH_SECONDS = 1.0
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The meters of one server, in a registry of their own."""

    def __init__(self, member: Member | None = None) -> None:
        self._folder = member.meters if member else ""
        self._refreshers: list[Callable[[], None]] = []
        if member:
            _share(member)
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
        totals: tuple[tuple[str, str, Callable[[], int]], ...] = (
            ("events_stored", "New events written since the start.", lambda: tally.stored),
            ("events_repeated", "Events that were already stored, since the start.", lambda: tally.repeated),
            ("store_commits", "Transactions since the start.", lambda: tally.commits),
            ("store_failures", "Transactions that failed since the start.", lambda: tally.failures),
        )
        for name, meaning, read in totals:
            self._refreshers.append(_total(self._gauge(name, meaning, "sum"), read))
        states: tuple[tuple[str, str, _Together, Callable[[], float]], ...] = (
            ("store_up", "1 if the last transaction succeeded.", "livemin", lambda: not away()),
            ("taking_events", "0 while the disk has no room for events.", "livemin", lambda: not no_room()),
            ("waiting_bytes", "Bytes of requests waiting in memory.", "livesum", waiting),
        )
        for name, meaning, together, value in states:
            self._refreshers.append(_state(self._gauge(name, meaning, together), value))

    def refresh(self) -> None:
        """Read what is watched. With several workers: often, because each of them tells the others."""
        for refresher in self._refreshers:
            refresher()

    def exposition(self) -> bytes:
        """All meters, those of all workers added up."""
        self.refresh()
        if not self._folder:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together, self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def _gauge(self, name: str, meaning: str, together: _Together) -> Gauge:
        return Gauge(f"rollcall_{name}", meaning, multiprocess_mode=together, registry=self._registry)


def _total(gauge: Gauge, read: Callable[[], int]) -> Callable[[], None]:
    """Add to a gauge what a number has grown by. So it goes on where the worker before has ended."""
    last = 0

    def refresh() -> None:
        nonlocal last
        now = read()
        gauge.inc(now - last)
        last = now

    return refresh


def _state(gauge: Gauge, read: Callable[[], float]) -> Callable[[], None]:
    return lambda: gauge.set(read())


def _share(member: Member) -> None:
    """From now on keep meters in files, which other processes can read: one of each kind for a worker."""
    for kind in KINDS:
        _take_room(f"{member.meters}/{kind}_{member.number}.db")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = member.meters
    values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
        lambda: member.number
    )


def _take_room(path: str) -> None:
    """Give a file its room on the disk: it is written as memory, and a full disk would end us then."""
    with suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, ROOM)
        finally:
            os.close(file)


def forget_state(folder: str, worker: int) -> None:
    """Drop what a worker that ended has said of its state; what it has counted stays."""
    multiprocess.mark_process_dead(worker, folder)  # type: ignore[no-untyped-call]

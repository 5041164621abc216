"""The fleet's figures for Prometheus: active instances, installs, who waits for help, alerts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from collector.admin.keys import list_sources
from collector.alerts.book import open_alerts
from collector.base.times import DAY_MS
from collector.store import StoreError, Stores
from collector.store.answers import waiting_requests
from collector.store.runs import RunCounts
from collector.store.spans import SPANS

# The store is asked after this time, however often somebody asks for the metrics.
FRESH_SECONDS = 15.0
# Whoever asks waits so long for the store: well below the 10 seconds that Prometheus waits.
WAIT_SECONDS = 5.0
# Sources that have figures of their own, in the order of their names.
MOST_SOURCES = 100
MOST_WAITING = 1000
INSTALL_DAYS = 7


class FleetMetrics:
    """The figures of all sources, which have no other labels than a few fixed words."""

    def __init__(
        self,
        stores: Stores,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        wait: float = WAIT_SECONDS,
    ) -> None:
        self._stores, self._now, self._clock, self._wait = stores, now, clock, wait
        self._asking: asyncio.Task[None] | None = None
        self._asked, self._text = float("-inf"), b""

    async def exposition(self) -> bytes:
        """The figures as of a moment ago; nothing while the store does not answer."""
        if self._asking is None and self._clock() - self._asked > FRESH_SECONDS:
            self._asking = asyncio.create_task(self._renew())
        if self._asking:
            try:
                await asyncio.wait_for(asyncio.shield(self._asking), self._wait)
            except asyncio.TimeoutError:
                return b""
        return self._text

    async def _renew(self) -> None:
        """Ask the store, once at a time: while it hangs, no second thread waits for it."""
        try:
            self._text = await asyncio.to_thread(self._ask)
            self._asked = self._clock()
        finally:
            self._asking = None

    def _ask(self) -> bytes:
        registry, now = CollectorRegistry(), int(self._now() * 1000)
        active = _gauge(registry, "active_instances", "Established instances active up to yesterday.", "days")
        installs = _gauge(registry, "installs", "Installs that began in the last 7 days.", "outcome")
        waiting = _gauge(registry, "waiting_for_help", "People who wait for help, up to 1000.")
        alerts = _gauge(registry, "alerts", "Alerts that go on.")
        try:
            for source, name in list_sources(self._stores.control)[:MOST_SOURCES]:
                for span, n in self._active(source, now).items():
                    active.labels(name, str(span)).set(n)
                for outcome, n in self._installs(source, now).items():
                    installs.labels(name, outcome).set(n)
                asked = waiting_requests(self._stores.control, self._stores.events, source, MOST_WAITING)
                waiting.labels(name).set(len(asked))
                alerts.labels(name).set(len(open_alerts(self._stores.control, source)))
        except StoreError:
            return b""
        return generate_latest(registry)

    def _active(self, source: int, now: int) -> dict[int, int]:
        """Instances active in the last whole days; today is not over."""
        last = now // DAY_MS - 1
        return {span: self._stores.events.active_by_day(source, span, last, last)[last][1] for span in SPANS}

    def _installs(self, source: int, now: int) -> dict[str, int]:
        today, counts = now // DAY_MS, RunCounts()
        by_day = self._stores.events.run_counts_by_day(source, today - INSTALL_DAYS + 1, today, now)
        for one in by_day.values():
            counts.merge(one)
        return {
            "succeeded": counts.succeeded,
            "failed": counts.failed,
            "given_up": counts.given_up,
            "running": counts.running,
        }


def _gauge(registry: CollectorRegistry, name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(f"rollcall_{name}", meaning, ["source", *labels], registry=registry)

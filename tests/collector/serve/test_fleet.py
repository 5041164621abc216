"""The fleet's figures in /metrics are those of the page."""

from __future__ import annotations

import asyncio
import threading

import pytest

from collector.admin import keys
from collector.base.times import DAY_MS
from collector.serve import fleet
from collector.serve.fleet import FRESH_SECONDS, FleetMetrics
from collector.store import ControlStore, StoreError, Stores
from collector.store.answers import answer_request
from collector.store.runs import NO_RUN, RunCounts
from tests.collector.alerts import planted
from tests.wait import PATIENCE, until

# On the day after many failures, of sixty days in which somebody asked for help.
DAY = 37
NOW = (planted.FIRST + DAY) * DAY_MS + 13 * 3_600_000


@pytest.fixture
def filled(stores: Stores) -> Stores:
    keys.add_key(stores.control, "product", 0)
    for day in range(DAY):
        stores.events.keep(list(planted.events_of(day)))
        while stores.events.fold():
            pass
    return stores


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.once
def test_the_figures_are_those_of_the_store_and_a_moment_old(
    filled: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    metrics = FleetMetrics(filled, now=lambda: NOW / 1000, clock=clock)
    yesterday = NOW // DAY_MS - 1
    counts = RunCounts()
    for one in filled.events.run_counts_by_day(1, yesterday - 5, yesterday + 1, NOW).values():
        counts.merge(one)
    asked = [run for _, run in filled.events.asked_runs(1, NO_RUN, 1000)]
    shown = asyncio.run(metrics.exposition()).decode()
    for span in (1, 7, 30):
        n = filled.events.active_by_day(1, span, yesterday, yesterday)[yesterday][1]
        assert f'rollcall_active_instances{{days="{span}",source="product"}} {n:.1f}' in shown
    assert f'rollcall_installs{{outcome="succeeded",source="product"}} {counts.succeeded:.1f}' in shown
    assert f'rollcall_installs{{outcome="failed",source="product"}} {counts.failed:.1f}' in shown
    assert 0 < counts.failed < counts.succeeded
    assert counts.failed != counts.given_up
    assert asked
    assert f'rollcall_waiting_for_help{{source="product"}} {len(asked):.1f}' in shown
    answer_request(filled.control, 1, asked[0], "sam", NOW)
    assert asyncio.run(metrics.exposition()).decode() == shown
    clock.seconds = FRESH_SECONDS + 1
    again = asyncio.run(metrics.exposition()).decode()
    assert f'rollcall_waiting_for_help{{source="product"}} {len(asked) - 1:.1f}' in again
    clock.seconds = 2 * FRESH_SECONDS + 2
    monkeypatch.setattr(fleet, "list_sources", _away)
    assert asyncio.run(metrics.exposition()) == b""


def test_a_store_that_hangs_holds_nobody_up(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.add_key(stores.control, "product", 0)
    asked, goes_on = list[object](), threading.Event()
    real = keys.list_sources

    def hang(control: ControlStore) -> list[tuple[int, str]]:
        asked.append(control)
        goes_on.wait()
        return real(control)

    async def scrape() -> tuple[bytes, ...]:
        patient = asyncio.create_task(FleetMetrics(stores, wait=300).exposition())
        metrics = FleetMetrics(stores, wait=0.01)
        try:
            empty = await metrics.exposition(), await metrics.exposition()
            until(lambda: len(asked) == 2)  # a thread that has not begun would be called off at the end
        finally:
            goes_on.set()
        return *empty, await patient

    monkeypatch.setattr(fleet, "list_sources", hang)
    first, second, late = asyncio.run(asyncio.wait_for(scrape(), 2 * PATIENCE))
    assert (first, second) == (b"", b"")
    assert b'rollcall_alerts{source="product"}' in late
    assert len(asked) == 2  # each object asked once, though one was scraped twice


def _away(_: object) -> list[tuple[int, str]]:
    raise StoreError("away")

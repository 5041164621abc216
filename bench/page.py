"""Server time of every view of the vendor's page, by the events kept and by the period shown.

    python -m bench page                      # 10^5 and 10^6 events
    python -m bench page --events 1e7         # slow: the database alone takes a quarter of an hour
    python -m bench page --db sqlite:///PATH  # keeps the database, and takes it up again

Each view is asked of the page itself, in this process: queries, figures and template, no socket.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import MutableMapping
from contextlib import closing, suppress
from typing import Any

from bench.compare import goal
from collector.admin import demo, setup, transfer
from collector.admin.keys import source_named
from collector.base.ids import as_uuid
from collector.ingest.disk import DiskWatch
from collector.page.app import Page
from collector.settings import read_settings
from collector.store import Stores, open_stores

GOAL_MS = 100
ROUNDS = 15
EVENTS_AN_INSTANCE = 325
PERIODS = ("day", "month", "year")


def main(argv: list[str]) -> int:
    """Print the median of every view, period and size."""
    parser = argparse.ArgumentParser(prog="python -m bench page", description=__doc__)
    parser.add_argument("--events", type=float, nargs="+", default=[1e5, 1e6])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--db", help="a database to fill, or that a bench before filled")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        for events in arguments.events:
            url = arguments.db or f"sqlite:///{folder}/{events:.0f}.db"
            with closing(open_stores(url)) as stores:
                measure(stores, int(events), arguments.rounds)
    return 0


def measure(stores: Stores, events: int, rounds: int) -> None:
    """Fill the store if it is empty, ask for every view, print."""
    kept = filled(stores, events)
    page, cookie = made_page(stores), setup_cookie(stores)
    views = [
        f"{view}{'&' if '?' in view else '?'}period={period}" for view in found(stores) for period in PERIODS
    ]
    (instances,) = stores.control.all("SELECT COUNT(*) FROM instances")[0]
    print(f"\n{kept:,} events of {instances:,} instances, median of {rounds} in ms")
    print(f"{'':<12}" + "".join(f"{period:>9}{'cpu':>9}" for period in PERIODS))
    slowest = busiest = 0.0
    for start in range(0, len(views), len(PERIODS)):
        some = views[start : start + len(PERIODS)]
        medians = [asyncio.run(timed(page, view, cookie, rounds)) for view in some]
        slowest = max(slowest, *(wall for wall, _ in medians))
        busiest = max(busiest, *(cpu for _, cpu in medians))
        name = views[start].split("?")[0][:10]
        print(f"{name:<12}" + "".join(f"{wall:>9.1f}{cpu:>9.1f}" for wall, cpu in medians))
    print(goal("slowest view, ms", slowest, GOAL_MS))
    print(goal("slowest view, ms of processor", busiest, GOAL_MS))


def made_page(stores: Stores) -> Page:
    """The page as a server has it."""
    settings = read_settings(os.environ)
    return Page(settings, stores, DiskWatch(settings, stores.events))


def setup_cookie(stores: Stores) -> str:
    """The cookie of somebody who opened the setup link, which shows everything."""
    now = int(time.time() * 1000)
    token = setup.new_link(stores.control, "", now).partition("=")[2]
    return f"rollcall={setup.spend_link(stores.control, token, now)}"


def filled(stores: Stores, events: int) -> int:
    """Make a year of events, and let the database take stock as a server does in time."""
    if not stores.control.all("SELECT 1 FROM events LIMIT 1"):
        with stores.control.transaction() as tx:
            source = source_named(tx, "bench", 0)
        instances = max(1, events // EVENTS_AN_INSTANCE)
        began = time.perf_counter()
        made, _ = transfer.add_in_chunks(
            stores.events, demo.demo_events(instances, 1, int(time.time() * 1000), source), lambda _: None
        )
        print(f"made {made:,} events in {time.perf_counter() - began:.0f} s")
    count: int = stores.control.all("SELECT COUNT(*) FROM events")[0][0]
    return count


def found(stores: Stores) -> list[str]:
    """Every view, with the busiest instance, the latest failed run and a common failure."""
    (instance,) = stores.control.all("SELECT id FROM instances ORDER BY beats DESC LIMIT 1")[0]
    (run,) = stores.control.all("SELECT id FROM runs WHERE outcome = 'errors' ORDER BY ended DESC LIMIT 1")[0]
    who, what = as_uuid(bytes(instance)), as_uuid(bytes(run))
    failure = "/failure?script=install.sh&line=88&command=docker&end=125"
    events = f"/events?instance={who}"
    names = ["/", "/installs", "/instances", "/support", "/events", events]
    return [*names, f"/run/{what}", f"/instance/{who}", failure]


async def timed(page: Page, view: str, cookie: str, rounds: int) -> tuple[float, float]:
    """The medians from a request to its answer: of wall time, and of the processor's."""
    await ask(page, view, cookie)
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        await ask(page, view, cookie)
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    return statistics.median(walls), statistics.median(cpus)


class _Enough(Exception):  # noqa: N818 - an outcome
    """The first piece of a whole list is there."""


async def ask(page: Page, view: str, cookie: str, *, head: bool = False) -> None:
    """One request of somebody who opened the setup link; of a head, nothing after the first piece."""
    path, _, query = view.partition("?")
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "scheme": "http"}
    scope |= {
        "headers": [(b"host", b"localhost"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
    }
    statuses: list[int] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        statuses.append(message.get("status", 0))
        if head and message.get("body"):
            raise _Enough

    with suppress(_Enough):
        await page(scope, receive, send)
    if statuses[0] != 200:
        raise SystemExit(f"{view} answered {statuses[0]}")

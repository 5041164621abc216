"""A large fleet with a year of history: what it takes of the disk, and how fast it is stored, shown, expired.

    python -m bench fleet                        # 10^4 and 10^5 instances, both stores: under five minutes
    python -m bench fleet --sizes 1e4 1e5 1e6    # takes several times as long
    python -m bench fleet --sizes 1e7 --store postgresql

Instances have random ids. They are put into the store directly, with their slots and counters. Then
heartbeats of some of them are stored and counted, as a server does it, in the order of time. Each view of
the page is asked in this process, without a socket; cold is the first time, once all are counted. Of a whole
list as data, the first piece is timed. Beside each stands the processor time, of this process and of
PostgreSQL's: other work of the machine changes that least. Bytes written are what this process wrote
(SQLite), or what went into the log of writes (PostgreSQL, whose tables come on top).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import quote

from bench.collector import ROOT, postgresql
from bench.compare import goal
from bench.expiry import arrivals, expire_before, server_time
from bench.filling import beats, fill
from bench.page import ask, made_page, setup_cookie
from collector.admin.keys import source_named
from collector.base.background import start_jobs, stop_jobs
from collector.base.ids import as_uuid
from collector.base.times import DAY_MS
from collector.page.app import Page
from collector.page.views.instances import FILTERS
from collector.store import ControlStore, EventStore, Stores, open_database
from collector.store.database import Database
from collector.store.sql.days import table_of
from collector.store.sql.store import SqlEventStore

SIZES = (1e4, 1e5)
EVENTS = 40_000
PIECE = 1000
ROUNDS = 20
GOALS = {"sqlite": 100, "postgresql": 140}
WARM_MS, COLD_MS = 100, 300
WHOLE = ("/instances.json", "/instances.csv", "/events.json", "/events.csv")
INSTANCE_BYTES, WRITTEN_BYTES, SHARE = 320, 5000, 0.6


def written(database: Database) -> int:
    """Bytes that were written so far.

    Of this process, those that it gave to the system: SQLite flushes them at once. What the system says of
    the disk is several times too much where its cache has large pages, as for ext4.
    """
    if database.dialect == "postgresql":
        return int(database.all("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")[0][0])
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["wchar"])


def size_of(database: Database, *tables: str) -> int:
    """Bytes of tables, with their indexes."""
    total = 0
    for table in tables:
        if database.dialect == "postgresql":
            sql = f"SELECT pg_total_relation_size('{table}')"
        else:
            names = f"SELECT name FROM sqlite_master WHERE tbl_name = '{table}'"
            sql = f"SELECT SUM(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN ({names})"
        total += int(database.all(sql)[0][0])
    return total


def ingest(
    store: EventStore, database: Database, ids: Sequence[bytes], source: int, events: int
) -> tuple[float, float, float]:
    """Events a second, those a second of processor, and bytes written for one, until all are counted."""
    amount = min(events, len(ids))
    found = beats(ids, int(time.time() * 1000) - amount, amount, source)
    before, busy, began = written(database), processor_time(database), time.perf_counter()
    for start in range(0, amount, PIECE):
        store.keep(found[start : start + PIECE])
    while store.fold():
        pass
    took, busy = time.perf_counter() - began, processor_time(database) - busy
    database.tidy()
    return amount / took, amount / busy, (written(database) - before) / amount


def processor_time(database: Database) -> float:
    """Seconds of processor that this process took, and PostgreSQL's."""
    return time.process_time() + server_time(database)


def views_of(ids: Sequence[bytes]) -> Iterator[str]:
    """Every view that shows instances or their events, and the first piece of whole lists as data."""
    yield from ("/", "/installs", "/support", "/events", "/events?name=Instance+Active")
    yield f"/instance/{as_uuid(ids[0])}"
    for state in FILTERS:
        yield f"/instances?state={quote(state)}"
    yield from (*WHOLE, "/instances?period=year", "/?period=year")


def show(stores: Stores, database: Database, ids: Sequence[bytes]) -> None:
    """Print how long each view takes, cold and warm, and how much of the processor."""
    slowest = coldest = busiest = 0.0
    page = made_page(stores)
    start_jobs(page.jobs)
    cookie = setup_cookie(stores)
    try:
        asyncio.run(ask(page, "/instances", cookie))  # a server has counted before anybody looks
        for view in views_of(ids):
            before = processor_time(database)
            cold = _timed(page, view, cookie)
            cold_busy, before = (processor_time(database) - before) * 1000, processor_time(database)
            warm = [_timed(page, view, cookie) for _ in range(ROUNDS)]
            busy = (processor_time(database) - before) * 1000 / ROUNDS
            p95 = sorted(warm)[ROUNDS * 95 // 100 - 1]
            print(f"  {view[:60]:<60}{cold:>9.1f}{cold_busy:>9.1f}{p95:>9.1f}{busy:>9.1f}")
            slowest, coldest, busiest = max(slowest, p95), max(coldest, cold), max(busiest, busy)
    finally:
        stop_jobs(page.jobs)
    print(goal("slowest view, p95 warm, ms", slowest, WARM_MS))
    print(goal("slowest view, cold, ms", coldest, COLD_MS))
    print(goal("busiest view, warm, ms of processor", busiest, WARM_MS))
    page = made_page(stores)
    start_jobs(page.jobs)
    print(goal("the overview at once after a start, ms", _timed(page, "/", cookie), COLD_MS))
    stop_jobs(page.jobs)


def _timed(page: Page, view: str, cookie: str) -> float:
    began = time.perf_counter()
    asyncio.run(ask(page, view, cookie, head=view in WHOLE))
    return (time.perf_counter() - began) * 1000


def expire(store: EventStore, database: Database, ids: Sequence[bytes], source: int) -> None:
    """Count, and then expire, a day with a heartbeat of each instance while events come in."""
    now = int(time.time() * 1000)
    old = now - 2 * DAY_MS
    for start in range(0, len(ids), PIECE):
        store.keep(beats(ids[start : start + PIECE], old + start, PIECE, source))
    left = len(ids)
    with arrivals(store, ids, source, "these are counted"):
        while left > 0:
            left -= store.fold()
    while store.fold():
        pass
    with arrivals(store, ids, source, "a day expires"):
        expire_before(store, database, now // DAY_MS - 1)


def measure(url: str, instances: int, events: int) -> tuple[float, float]:
    """Print all figures of a fleet; returns events a second, and those a second of processor."""
    database = open_database(url)
    stores = Stores(ControlStore(database), SqlEventStore(database))
    now = int(time.time() * 1000)
    with closing(stores):
        with stores.control.transaction() as tx:
            source = source_named(tx, "bench", 0)
        began = time.perf_counter()
        ids = fill(database, source, instances, now)
        print(f"\n{database.dialect}, {instances:,} instances, filled in {time.perf_counter() - began:.0f} s")
        whole = size_of(database, "instances") / instances
        print(goal("bytes of an instance with a year of slots", whole, INSTANCE_BYTES))
        speed, busy_speed, cost = ingest(stores.events, database, ids, source, events)
        day = now // DAY_MS
        beat = size_of(database, table_of(day).name) / min(events, instances)
        print(goal("bytes of a heartbeat", beat, GOALS[database.dialect]))
        print(f"  {speed:,.0f} events/s, {busy_speed:,.0f} a second of processor, stored and counted")
        print(goal("bytes written for an event", cost, WRITTEN_BYTES))
        print(f"  {'':<60}{'cold ms':>9}{'busy':>9}{'warm p95':>9}{'busy':>9}")
        show(stores, database, ids)
        expire(stores.events, database, ids, source)
        began = time.perf_counter()
        wrong = stores.events.recount(lambda _: None)
        print(f"  a recount found {wrong} wrong counters in {time.perf_counter() - began:.0f} s")
    return speed, busy_speed


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench fleet")
    parser.add_argument("--sizes", type=float, nargs="+", default=SIZES)
    parser.add_argument(
        "--events", type=int, default=EVENTS, help=f"heartbeats to store and count [{EVENTS}]"
    )
    parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="both")
    options = parser.parse_args(argv)
    (ROOT / "build").mkdir(exist_ok=True)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    for kind in ("sqlite", "postgresql"):
        if options.store not in (kind, "both"):
            continue
        speeds = []
        for size in map(int, options.sizes):
            with ExitStack() as stack:
                if kind == "sqlite":
                    folder = stack.enter_context(tempfile.TemporaryDirectory(dir=ROOT / "build"))
                    url = f"sqlite:///{folder}/fleet.db"
                else:
                    url = stack.enter_context(postgresql())()
                speeds.append(measure(url, size, options.events))
        if len(speeds) > 1:
            for what, last, first in zip(("", " of processor"), speeds[-1], speeds[0], strict=True):
                told = f"events/s{what} in the largest fleet / in the smallest"
                print(goal(told, last / first, SHARE, at_least=True))
    return 0

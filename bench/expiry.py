"""A day of heartbeats expires: how long that holds the store, and how long events wait meanwhile.

    python -m bench expiry                          # 10^6 instances, four heartbeats of each, both stores
    python -m bench expiry --instances 1e5 --store sqlite

The first day expires while nothing else happens: store time is the time in open transactions, so that other
work of the machine counts as little as can be. The second day is stored then, which shows whether the space
of the first one is used again. It expires while small requests come in.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.collector import ROOT, postgresql
from bench.compare import goal
from bench.filling import beats, fill
from collector.admin.keys import source_named
from collector.base.times import DAY_MS
from collector.store import ControlStore, EventStore, Stores, open_database
from collector.store.beats import narrow_beat
from collector.store.database import Database, Transaction
from collector.store.sql.days import make_days, table_of
from collector.store.sql.shapes import Shapes
from collector.store.sql.store import SqlEventStore
from collector.store.values import Cutoffs

INSTANCES, BEATS = 1e6, 4
AT_ONCE = 20_000
REQUEST = 20
INGEST_P99_MS, EXPIRY_SECONDS = 500, 2


@dataclass
class HeldTime:
    """How long the transactions of one thread are open."""

    database: Database
    times: list[float] = field(default_factory=list)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure the transactions that this thread makes meanwhile."""
        plain, mine = self.database.transaction, threading.get_ident()

        @contextmanager
        def timed(*, lasting: bool) -> Iterator[Transaction]:
            with ExitStack() as stack:
                tx = stack.enter_context(plain(lasting=lasting))
                began = time.perf_counter()
                yield tx
                stack.close()  # the commit is part of it
                self.times.append(time.perf_counter() - began)

        def transaction(*, lasting: bool = True) -> AbstractContextManager[Transaction]:
            chosen = timed if threading.get_ident() == mine else plain
            return chosen(lasting=lasting)

        self.database.transaction = transaction  # type: ignore[method-assign]
        yield
        self.database.transaction = plain  # type: ignore[method-assign]


def server_time(database: Database) -> float:
    """Seconds of processor that PostgreSQL's processes took; SQLite has none."""
    if database.dialect == "sqlite":
        return 0.0
    ((pid,),) = database.all("SELECT pg_backend_pid()")
    server = psutil.Process(pid).parent()
    assert server is not None
    total = sum(server.cpu_times()[:4])  # with the children that have ended
    for child in server.children():
        total += sum(child.cpu_times()[:2])
    return float(total)


def fill_day(database: Database, source: int, ids: Sequence[bytes], day: int, each: int) -> int:
    """Store heartbeats of a day, so many of each instance, without counting them; how many there are."""
    (sample,) = beats(ids[:1], day * DAY_MS, 1, source)
    narrowed = narrow_beat(sample)
    assert narrowed is not None
    shape = Shapes(database).number_of(source, 1, narrowed[2])
    with database.transaction() as tx:
        make_days(tx, {(source, day)})
    count = len(ids) * each
    for start in range(0, count, AT_ONCE):
        rows = []
        for number in range(start, min(start + AT_ONCE, count)):
            at = day * DAY_MS + number * DAY_MS // count
            key = bytearray(at.to_bytes(6, "big") + number.to_bytes(4, "big") + os.urandom(6))
            key[6], key[8] = key[6] & 0x0F | 0x70, key[8] & 0x3F | 0x80
            rows.append((source, bytes(key), random.choice(ids), at + 200 - day * DAY_MS, 50, 0, shape))
        with database.transaction() as tx:
            tx.upsert(table_of(day), sorted(rows, key=lambda row: row[1]))
    database.tidy()
    return count


@contextmanager
def arrivals(store: EventStore, ids: Sequence[bytes], source: int, what: str) -> Iterator[None]:
    """Let small requests come in meanwhile, and print how long they took."""
    waits, ending = list[float](), threading.Event()

    def send() -> None:
        while not ending.wait(0.01):
            piece = beats(ids[:10_000], int(time.time() * 1000), REQUEST, source)
            began = time.perf_counter()
            store.keep(piece)
            waits.append((time.perf_counter() - began) * 1000)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        ending.set()
        sender.join()
    p99 = sorted(waits)[len(waits) * 99 // 100]
    print(goal(f"ingest while {what}, p99 of {len(waits)} in ms", p99, INGEST_P99_MS))
    print(f"  the longest of them took {max(waits):.0f} ms")


def expire_before(store: EventStore, database: Database, day: int) -> None:
    """Expire the heartbeats of the days before one; print how long the store was held for it."""
    held, before = HeldTime(database), database.space().used
    busy, began = time.thread_time() + server_time(database), time.perf_counter()
    with held.measured():
        found = store.expire(Cutoffs(beats=day * DAY_MS), int(time.time() * 1000), lambda _: None)
    took, busy = time.perf_counter() - began, time.thread_time() + server_time(database) - busy
    freed = before - database.space().used
    print(
        f"  {found.beats:,} heartbeats expired in {took:.1f} s, {busy:.2f} s of processor,"
        f" {len(held.times)} transactions, the longest {max(held.times) * 1000:.0f} ms;"
        f" {freed / 2**20:.0f} MiB are free"
    )
    print(goal("store time of the expiry, s", sum(held.times), EXPIRY_SECONDS))


def size_on_disk(url: str, database: Database) -> float:
    """MiB that the database takes of the disk, with what it has free inside."""
    if database.dialect == "sqlite":
        return Path(url.removeprefix("sqlite:///")).stat().st_size / 2**20
    return database.space().used / 2**20


def measure(url: str, instances: int, each: int) -> None:
    """Print all figures of a store."""
    database = open_database(url)
    store = SqlEventStore(database)
    now = int(time.time() * 1000)
    today = now // DAY_MS
    with closing(Stores(ControlStore(database), store)) as stores:
        with stores.control.transaction() as tx:
            source = source_named(tx, "bench", 0)
        ids = fill(database, source, instances, now)
        count = fill_day(database, source, ids, today - 3, each)
        print(f"\n{database.dialect}, {instances:,} instances, {count:,} heartbeats a day")
        full = size_on_disk(url, database)
        print("alone:")
        expire_before(store, database, today - 2)
        empty = size_on_disk(url, database)
        fill_day(database, source, ids, today - 2, each)
        again = size_on_disk(url, database)
        print(f"  on the disk {full:.0f} MiB before, {empty:.0f} after, {again:.0f} with the next day")
        print(f"while {REQUEST} events come in about every 10 ms:")
        with arrivals(store, ids, source, "a day expires"):
            expire_before(store, database, today - 1)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench expiry")
    parser.add_argument("--instances", type=float, default=INSTANCES)
    parser.add_argument("--beats", type=int, default=BEATS, help=f"of each instance and day [{BEATS}]")
    parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="both")
    options = parser.parse_args(argv)
    (ROOT / "build").mkdir(exist_ok=True)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    if options.store != "postgresql":
        with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
            measure(f"sqlite:///{folder}/fleet.db", int(options.instances), options.beats)
    if options.store != "sqlite":
        with postgresql() as fresh:
            measure(fresh(), int(options.instances), options.beats)
    return 0

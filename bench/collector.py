"""The collector's throughput: batches and single events, beside bare inserts and its own empty route.

    python -m bench collector [--rounds 5] [--events 40000] [--postgresql URL] [--growth 10000000]

Bare is `executemany` of the very rows into the very tables, in transactions of as many events, by a
process that does nothing else. Empty is a POST of the same single event to a route that reads it,
answers, and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import compare, load
from collector.admin import keys
from collector.base.events import Event
from collector.base.times import write_time
from collector.ingest import decode
from collector.ingest.writer import MOST_TOGETHER
from collector.store import open_database, open_stores, schema
from collector.store.sql.arrival import sort_events
from collector.store.sql.days import make_days
from collector.store.sql.keeping import add_events
from collector.store.sql.shapes import Shapes
from collector.store.sqlite import SQLiteTransaction

BATCH = 100
SINGLE_CONNECTIONS, BATCH_CONNECTIONS = 64, 16
FOREVER = 600
ROOT = Path(__file__).parents[1]


class Server:
    """A collector as a process, with its load beside it."""

    def __init__(self, database: str, **settings: str) -> None:
        stores = open_stores(database)
        self.key = keys.add_key(stores.control, "bench", 0)
        stores.close()
        limits = dict.fromkeys(("RATE", "PEER_RATE", "DAILY"), "0")
        settings = {**limits, **settings, "DB": database}
        environ = {**os.environ, **{f"ROLLCALL_COLLECTOR_{name}": text for name, text in settings.items()}}
        command = [sys.executable, "-m", "collector", "serve", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            command,
            env=environ,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        told = next(line for line in self.process.stderr if "receiving events at" in line)
        self.port = int(told.strip().rpartition(":")[2])

    def load(self, connections: int, rate: float, requests: int, batch: int, path: str) -> dict[str, Any]:
        """What the load saw; `requests` in all."""
        seconds = requests / rate if rate else FOREVER
        count = str(requests)
        arguments = [
            str(self.port),
            self.key,
            str(connections),
            str(seconds),
            str(rate),
            str(batch),
            path,
            count,
        ]
        done = subprocess.run(
            [sys.executable, "-m", "bench.load", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        result: dict[str, Any] = json.loads(done.stdout)
        assert set(result["statuses"]) == {"200"}, result["statuses"]
        return result

    def peak(self) -> float:
        """The most memory it ever held, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


class Recorder(SQLiteTransaction):
    """Keeps what a transaction writes, so that it can be written again barely."""

    def __init__(self, connection: sqlite3.Connection, writes: list[tuple[schema.Table, list[Any]]]) -> None:
        super().__init__(connection)
        self.writes = writes

    def _write(self, table: schema.Table, rows: Sequence[Any]) -> int:
        self.writes.append((table, list(rows)))
        return super()._write(table, rows)


def transactions(count: int, folder: Path) -> list[list[tuple[schema.Table, list[Any]]]]:
    """The rows that the collector writes for so many heartbeats, transaction by transaction."""
    now = int(time.time() * 1000)
    sent = write_time(now)
    events: list[Event] = [decode.read_event(load.beat(n, now), "", 1, now, sent) for n in range(count)]
    database = open_database(f"sqlite:///{folder}/recorded.db")
    shapes = Shapes(database)
    recorded = []
    for start in range(0, count, MOST_TOGETHER):
        writes: list[tuple[schema.Table, list[Any]]] = []
        piece = sort_events(shapes, events[start : start + MOST_TOGETHER])
        with database.transaction() as tx:
            assert isinstance(tx, SQLiteTransaction)
            add_events(Recorder(tx._connection, writes), piece, 0)  # noqa: SLF001
        recorded.append([(table, rows) for table, rows in writes if rows])
    database.close()
    return recorded


def bare_sqlite(recorded: list[list[tuple[schema.Table, list[Any]]]], database: str) -> float:
    """Events a second."""
    make_tables(recorded, database)
    connection = sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    began = time.perf_counter()
    for writes in recorded:
        connection.execute("BEGIN IMMEDIATE")
        for table, rows in writes:
            connection.executemany(statement(table, "?"), rows)
        connection.execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    return events_in(recorded) / took


def bare_postgresql(recorded: list[list[tuple[schema.Table, list[Any]]]], database: str) -> float:
    """Events a second."""
    import psycopg

    make_tables(recorded, database)
    with psycopg.connect(database) as connection:
        began = time.perf_counter()
        for writes in recorded:
            for table, rows in writes:
                connection.cursor().executemany(statement(table, "%s"), rows)
            connection.commit()
        took = time.perf_counter() - began
    return events_in(recorded) / took


def statement(table: schema.Table, mark: str) -> str:
    marks = ", ".join([mark] * len(table.columns))
    return f"INSERT INTO {table.name} ({', '.join(table.names)}) VALUES ({marks}) {table.conflict_clause}"


def make_tables(recorded: list[list[tuple[schema.Table, list[Any]]]], database: str) -> None:
    """The tables of a new database, with those of the days that are written."""
    tables = open_database(database)
    days = [int(name.removeprefix("beats_")) for name in names_in(recorded) if name.startswith("beats_")]
    with tables.transaction() as tx:
        make_days(tx, {(1, day) for day in days})
    tables.close()


def names_in(recorded: list[list[tuple[schema.Table, list[Any]]]]) -> set[str]:
    return {table.name for writes in recorded for table, _ in writes}


def events_in(recorded: list[list[tuple[schema.Table, list[Any]]]]) -> int:
    return sum(
        len(rows)
        for writes in recorded
        for table, rows in writes
        if table is schema.EVENTS or table.name.startswith("beats_")
    )


@contextmanager
def postgresql() -> Iterator[Callable[[], str]]:
    """A server of our own, if there is none to use."""
    from tests.collector.cluster import Cluster

    cluster = Cluster()
    try:
        cluster.start()
        yield cluster.database
    finally:
        cluster.remove()


def measure(kind: str, fresh: Callable[[], str], count: int, rounds: int, folder: Path) -> None:
    """Print one store's table."""
    recorded = transactions(count, folder)
    bare = bare_sqlite if kind == "sqlite" else bare_postgresql
    server = Server(fresh())
    single = max(1000, count // 10)
    tails: list[dict[str, Any]] = []

    def batched() -> float:
        result = server.load(BATCH_CONNECTIONS, 0, count // BATCH, BATCH, "/v1/batch")
        return float(result["events"] / result["seconds"])

    def singly(path: str) -> float:
        result = server.load(SINGLE_CONNECTIONS, 0, single, 0, path)
        return float(result["sent"] / result["seconds"])

    def paced() -> float:
        tails.append(server.load(SINGLE_CONNECTIONS, 920, 920 * 5, 0, "/v1/track"))
        return float(tails[-1]["p99"])

    results = compare.rounds(
        rounds,
        {
            "bare executemany, events/s": lambda: bare(recorded, fresh()),
            f"batches of {BATCH}, events/s": batched,
            "empty route, requests/s": lambda: singly("/v1/m"),
            "single events, requests/s": lambda: singly("/v1/track"),
            "920 single events/s, p99 ms": paced,
        },
    )
    names = list(results)
    print(f"\n{kind}: {count} events a round")
    print(compare.table(results, reference=names[0], unit=""))
    print(compare.goal("batched / bare", compare.ratio(results, names[1], names[0]), 0.6, at_least=True))
    print(compare.goal("single / empty", compare.ratio(results, names[3], names[2]), 0.4, at_least=True))
    print(compare.goal("p99 ms at 920/s", sorted(results[names[4]])[len(results[names[4]]) // 2], 100))
    print(compare.goal("RSS MiB", server.peak(), 120))
    print(f"p50 ms at 920/s: {tails[-1]['p50']:.2f}")
    server.stop()


def growth(size: int, folder: Path) -> float:
    """Ingest of time-ordered ids into an empty database, and into one of so many events; the ratio."""
    now = int(time.time() * 1000) - 10_000_000
    stores = open_stores(f"sqlite:///{folder}/grown.db")
    number = 0

    def fill(count: int) -> float:
        nonlocal number
        took = 0.0
        for _ in range(count // MOST_TOGETHER):
            chunk = [
                decode.read_event(load.beat(number + n, now, 100_000), "", 1, now)
                for n in range(MOST_TOGETHER)
            ]
            number += MOST_TOGETHER
            began = time.perf_counter()
            stores.events.keep(chunk)
            stores.events.fold()
            took += time.perf_counter() - began
        return count / took

    fill(200_000)  # every instance is there
    before = fill(400_000)
    fill(size - number)
    after = fill(400_000)
    size_mib = sum(path.stat().st_size for path in folder.glob("grown.db*")) / 2**20
    print(f"\ngrowth: {before:.0f} events/s at first, {after:.0f} with {number} events, {size_mib:.0f} MiB")
    print(compare.goal("after / before", after / before, 0.8, at_least=True))
    stores.close()
    return after / before


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench collector")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--growth", type=int, default=0)
    options = parser.parse_args(argv)
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        if options.growth:
            growth(options.growth, folder)
            return 0
        if options.store != "postgresql":
            numbers = iter(range(1000))
            measure(
                "sqlite",
                lambda: f"sqlite:///{folder}/{next(numbers)}.db",
                options.events,
                options.rounds,
                folder,
            )
        if options.store != "sqlite":
            with postgresql() as fresh:
                measure("postgresql", fresh, options.events, options.rounds, folder)
    return 0

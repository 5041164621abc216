"""A steady load on workers whose events go to ClickHouse: inserts a second, parts, and how long answers take.

    python -m bench steady [--seconds 60] [--rate 1000] [--batch 5] [--connections 200] [--workers 2]

The server is Debian's ClickHouse 18.16; keys and users are in PostgreSQL. Goals: at most one insert a second
a worker, parts that stay few, and 99 of 100 answers within 1.5 s.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence

import psutil

from bench import compare
from bench.collector import Server, postgresql
from collector.ingest.pace import BURST
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.client import Client
from tests.collector.clickhouse import Debians

SAMPLE_SECONDS = 0.5
MOST_P99_MS = 1500.0

_INSERTED = "SELECT value FROM system.events WHERE event = 'InsertQuery'"
_PARTS = "SELECT count() AS n FROM system.parts WHERE table = ? AND active AND database = ?"


class PartWatch(threading.Thread):
    """Samples how many parts the table has, on the server with the most, until it is told to stop."""

    def __init__(self, client: Client, database: str, table: str = "events") -> None:
        super().__init__(daemon=True)
        self._client, self._table, self._database = client, table, database
        self.counts: list[int] = []
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.wait(SAMPLE_SECONDS):
            found = self._client.rows_of_each(_PARTS, self._table, self._database)
            self.counts.append(max(count for ((count,),) in found))


def inserts(client: Client) -> int:
    """How many inserts of events the server has had: one into the table of instances follows each."""
    rows = client.rows(_INSERTED)
    return int(rows[0][0]) // 2 if rows else 0


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench steady")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1000, help="events a second")
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(argv)
    engine = Debians()
    try:
        engine.start()
        with postgresql() as fresh:
            measure(engine.database(), fresh(), options)
    finally:
        engine.remove()
    return 0


def measure(events: str, control: str, options: argparse.Namespace) -> None:
    """Send, and print what was seen."""
    address = read_address(events)
    client = Client(address)
    server = Server(control, EVENTS=events, WORKERS=str(options.workers))
    watch = PartWatch(client, address.database)
    requests = options.rate / options.batch
    try:
        before = inserts(client)
        watch.start()
        psutil.cpu_percent()
        seen = server.load(
            options.connections, requests, int(requests * options.seconds), options.batch, "/v1/batch"
        )
        busy, each = psutil.cpu_percent(), (inserts(client) - before) / seen["seconds"] / options.workers
        ((kept,),) = client.rows("SELECT count() AS n FROM events")
    finally:
        watch.ending.set()
        watch.join()
        server.stop()
    assert kept == seen["events"], (kept, seen)
    workers = f"{options.workers} workers, {options.connections} connections"
    print(f"{workers}: {seen['events'] / seen['seconds']:.0f} events/s for {seen['seconds']:.0f} s")
    print(f"active parts: at most {max(watch.counts)}, {watch.counts[-1]} in the end; answers: {told(seen)}")
    print(f"the cores were {busy:.0f} % busy")
    most = 1 + (BURST + 1) / seen["seconds"]  # some come at once in the beginning, and one ends it
    print(compare.goal("inserts a second a worker", each, most))
    print(compare.goal("p99 of an answer, ms", seen["p99"], MOST_P99_MS))


def told(seen: dict[str, float]) -> str:
    return ", ".join(f"p{p} {seen[f'p{p}']:.0f} ms" for p in (50, 99, 100))

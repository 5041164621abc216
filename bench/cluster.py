"""A fleet's day in compressed time, through two collectors into a cluster of 2 shards x 3 replicas.

    python -m bench cluster [--instances 5000] [--batch 20] [--connections 24] [--workers 2]

Every instance has a random id and sends four heartbeats, as fast as the cluster takes them; `--instances 1e6`
is a large fleet's day. The servers are Debian's ClickHouse 18.16 with three ZooKeepers; the keys are in
PostgreSQL. A connection waits for each answer, up to a second: more of them send more. A batch that is
refused is sent again. Goals: 99 of 100 answers within 1.5 s, and no acknowledged event lost or doubled.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from typing import Any

import psutil
import uvloop

from bench import compare, load
from bench.collector import Server, postgresql
from bench.steady import MOST_P99_MS, PartWatch
from collector.base.times import DAY_MS, write_time
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.store import ClickHouseEventStore
from tests.e2e.clickhouse.cluster import ClickHouseCluster
from tests.wait import until

COLLECTORS = 2
BEATS = 4  # a day
AT_ONCE = 5000  # requests that are made up at a time
FOREVER = 3600.0
SOURCE = 1

# An insert makes a part in each shard, whose number is the next one; a try that fails takes one too.
_INSERTED = (
    "SELECT sum(last + 1) AS n FROM (SELECT partition, max(max_block_number) AS last FROM system.parts"
    " WHERE table = 'events_local' AND database = ? GROUP BY partition)"
)
_STORED = "SELECT count() AS n, uniqExact(id) AS u FROM events FINAL WHERE source > 0"


class Day(load.Load):
    """A load that knows which of its requests were not answered with 200."""

    def __init__(self, requests: list[bytes]) -> None:
        super().__init__(requests, 0, FOREVER)
        self.under_way: dict[load.Connection, bytes] = {}
        self.refused: list[bytes] = []

    def send(self, connection: load.Connection) -> None:
        self.under_way[connection] = self.requests[self.next]
        super().send(connection)

    def answered(self, connection: load.Connection, status: int) -> None:
        sent = self.under_way.pop(connection)
        if status != 200:
            self.refused.append(sent)
        super().answered(connection, status)


class Figures:
    """What was seen of all requests."""

    def __init__(self) -> None:
        self.seconds, self.refused = 0.0, 0
        self.latencies: list[float] = []

    def add(self, days: Sequence[Day], seconds: float) -> list[bytes]:
        """Count a round of requests; those that are to be sent again."""
        again = [one for day in days for one in [*day.refused, *day.under_way.values()]]
        self.seconds += seconds
        self.refused += len(again)
        self.latencies += [latency for day in days for latency in day.latencies]
        return again

    def percentile(self, p: int) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, len(ordered) * p // 100)] * 1000


def beats_of_a_day(instances: int) -> Iterator[dict[str, Any]]:
    """Each instance's heartbeats, in the order of the day; the last one is of a moment ago."""
    ids = [str(uuid.uuid4()) for _ in range(instances)]
    now = int(time.time() * 1000)
    for number in range(instances * BEATS):
        event = load.beat(0, now - DAY_MS + (number + 1) * DAY_MS // (instances * BEATS))
        event["anonymousId"] = event["properties"]["instanceId"] = ids[number % instances]
        yield event


def requests_of_a_day(key: str, instances: int, size: int) -> Iterator[bytes]:
    events = beats_of_a_day(instances)
    while batch := list(islice(events, size)):
        body = json.dumps({"batch": batch, "sentAt": write_time(int(time.time() * 1000))}).encode()
        yield load.request("/v1/batch", key, body)


def send(servers: Sequence[Server], requests: list[bytes], connections: int, figures: Figures) -> None:
    """Until all are taken."""

    async def run(days: Sequence[Day]) -> None:
        each = connections // len(servers)
        pairs = zip(days, servers, strict=True)
        await asyncio.gather(*(day.run(server.port, each) for day, server in pairs))

    while requests:
        days = [Day(requests[number :: len(servers)]) for number in range(len(servers))]
        began = time.perf_counter()
        uvloop.run(run(days))
        requests = figures.add(days, time.perf_counter() - began)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench cluster")
    parser.add_argument("--instances", type=float, default=5000)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--connections", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2, help="of each of the two collectors")
    options = parser.parse_args(argv)
    cluster = ClickHouseCluster()
    try:
        cluster.start()
        with postgresql() as fresh:
            measure(cluster, fresh(), options)
    finally:
        cluster.remove()
    return 0


def measure(cluster: ClickHouseCluster, control: str, options: argparse.Namespace) -> None:
    """Send a day, and print what was seen."""
    events, instances = cluster.database(), int(options.instances)
    address = read_address(events)
    figures, total = Figures(), instances * BEATS
    with ExitStack() as running:
        servers = [Server(control, EVENTS=events, WORKERS=str(options.workers)) for _ in range(COLLECTORS)]
        for server in servers:
            running.callback(server.stop)
        store = running.enter_context(closing(ClickHouseEventStore(events)))
        client = running.enter_context(closing(Client(address)))
        watch = PartWatch(client, address.database, "events_local")
        watch.start()
        psutil.cpu_percent()
        requests = requests_of_a_day(servers[0].key, instances, options.batch)
        while some := list(islice(requests, AT_ONCE)):
            send(servers, some, options.connections, figures)
        busy, made = psutil.cpu_percent(), parts_made(client)
        watch.ending.set()
        watch.join()
        stored, distinct = until(lambda: counted(client, total), why="every replica has caught up") or (0, 0)
        began = time.perf_counter()
        seen = store.census(SOURCE, int(time.time() * 1000)).active
        census = time.perf_counter() - began
        replicas = max(memory_of(one.process.pid) for one in cluster.replicas if one.process)
        collectors = max(memory_of(server.process.pid) for server in servers)
    print(f"{instances} instances, {total} heartbeats: {total / figures.seconds:.0f} events/s")
    print(f"{made / figures.seconds:.1f} parts/s made in a shard; {figures.refused} batches came again")
    print(f"memory: {replicas:.0f} MiB of the largest ClickHouse, {collectors:.0f} MiB of a collector")
    print(f"active parts: at most {max(watch.counts)} on a server; the cores were {busy:.0f} % busy")
    print(
        f"a census: {census:.1f} s, {sum(n for (span, _), n in seen.items() if span == 1)} seen on this day"
    )
    print(compare.goal("p99 of an answer, ms", figures.percentile(99), MOST_P99_MS))
    print(compare.goal("lost and doubled", total - distinct + stored - distinct, 0))


def parts_made(client: Client) -> int:
    """How many parts with events the busier shard has had."""
    return max(int(n) for ((n,),) in client.rows_of_each(_INSERTED, client.database))


def memory_of(pid: int) -> float:
    """What a process and its children hold now, in MiB."""
    process = psutil.Process(pid)
    return sum(one.memory_info().rss for one in [process, *process.children()]) / 2**20


def counted(client: Client, total: int) -> tuple[int, int] | None:
    """How many rows there are, and how many ids, once there are enough."""
    ((rows, ids),) = client.rows(_STORED)
    return (rows, ids) if rows >= total else None

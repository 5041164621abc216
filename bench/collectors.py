"""Several collectors on one PostgreSQL that is some way off: what each further one adds.

    python -m bench collectors [--rounds 3] [--seconds 6] [--delay 2] [--batch 5] [--counts 1 2 4]

Each collector is a process of its own, and has a few connections that send batches of heartbeats of random
instances, one after the other. A proxy adds the delay to each statement. So a collector mostly waits, as
it would for a database on another machine. Beside it: how many of the database's sessions waited for a row
or another lock, in samples; and how busy the cores were. If they all are, they decide.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import psutil
import psycopg
import uvloop

from bench import compare, load
from bench.collector import ROOT, Server, postgresql

CONNECTIONS = 4
SAMPLE_SECONDS = 0.02
LEAST_SHARE = 0.8
BUSY = (
    "SELECT wait_event_type = 'Lock', wait_event FROM pg_stat_activity"
    " WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()"
)
# What a session waits for if another one has changed the same row.
ROW_WAITS = ("transactionid", "tuple")


@contextmanager
def farther_off(url: str, milliseconds: float) -> Iterator[str]:
    """The URL of a database with a delay between."""
    command = [sys.executable, "-m", "bench.delay", str(urlsplit(url).port), str(milliseconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        port = int(proxy.stdout.readline())
        try:
            yield urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{port}").geturl()
        finally:
            proxy.terminate()


class LockWatch(threading.Thread):
    """Samples what the sessions of a database wait for."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.busy = url, 0
        self.locks: Counter[str] = Counter()
        self.ending = threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self.ending.wait(SAMPLE_SECONDS):
                found = connection.execute(BUSY).fetchall()
                self.busy += len(found)
                self.locks.update(event for waits, event in found if waits)

    def __str__(self) -> str:
        rows = sum(self.locks[event] for event in ROW_WAITS)
        other = {event: count for event, count in self.locks.items() if event not in ROW_WAITS}
        return f"of {self.busy} busy sessions {rows} waited for a row, for other locks {other or 'none'}"


def batches(key: str, count: int, size: int) -> list[bytes]:
    """Requests with heartbeats of instances that nobody has seen before."""
    now = int(time.time() * 1000)
    sent = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now / 1000))
    requests = []
    for number in range(count):
        events = [load.beat(number * size + index, now) for index in range(size)]
        for event in events:
            event["anonymousId"] = event["properties"]["instanceId"] = str(uuid.uuid4())
        body = json.dumps({"batch": events, "sentAt": sent}).encode()
        requests.append(load.request("/v1/batch", key, body))
    return requests


def throughput(servers: Sequence[Server], seconds: float, size: int, cores: list[float]) -> float:
    """Events a second that all of them took; adds how busy the cores were, in percent."""
    loads = [load.Load(batches(server.key, int(seconds * 150), size), 0, seconds) for server in servers]

    async def run() -> list[dict[str, float]]:
        pairs = zip(loads, servers, strict=True)
        return list(await asyncio.gather(*(one.run(server.port, CONNECTIONS) for one, server in pairs)))

    psutil.cpu_percent()
    results: list[dict[str, float]] = uvloop.run(run())
    cores.append(psutil.cpu_percent())
    assert all(set(one.statuses) == {200} for one in loads), [one.statuses for one in loads]
    return sum(result["sent"] * size / result["seconds"] for result in results)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench collectors")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--delay", type=float, default=2, help="milliseconds a statement")
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args(argv)
    locks: dict[str, LockWatch] = {}
    cores: dict[str, list[float]] = {}

    with postgresql() as fresh:

        def measure(count: int) -> float:
            url = fresh()
            with farther_off(url, options.delay) as off:
                servers = [Server(off) for _ in range(count)]
                watch = LockWatch(url)
                watch.start()
                try:
                    return throughput(
                        servers, options.seconds, options.batch, cores.setdefault(named(count), [])
                    )
                finally:
                    watch.ending.set()
                    watch.join()
                    locks[named(count)] = watch
                    for server in servers:
                        server.stop()

        contenders = {named(count): lambda count=count: measure(count) for count in options.counts}
        results = compare.rounds(options.rounds, contenders, warm_up=0)
    first = named(options.counts[0])
    print(f"batches of {options.batch}, {CONNECTIONS} connections each, {options.delay:g} ms a statement")
    print(compare.table(results, reference=first, unit="events/s"))
    for count in options.counts[1:]:
        share = compare.ratio(results, named(count), first) * options.counts[0] / count
        print(compare.goal(f"{named(count)}, share of linear", share, LEAST_SHARE, at_least=True))
    for name, watch in locks.items():
        print(f"{name}, last round: {watch}; the cores were {cores[name][-1]:.0f} % busy")
    return 0


def named(count: int) -> str:
    return f"{count} collector{'s' if count > 1 else ''}"

"""A large fleet in ClickHouse: what a heartbeat takes of the disk, and how long each view of the page takes.

    python -m bench columns                                   # 10^6 heartbeats of 10^5 instances
    python -m bench columns --beats 1e7 --instances 1e6       # in two minutes
    python -m bench columns --beats 1e8 --instances 1e6       # in twenty

The engine is today's ClickHouse, as in the tests. Instances have random ids, and each sends its heartbeats
every six hours, from a day of the last sixty on. A few have installs. The heartbeats are made in the database
itself; then the table of instances is filled from them, as after an update. Each view is asked in this
process, without a socket. Beside its time stands the processor time of the engine, which other work hardly
changes. Cold is the first time; p95 is of those after it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial

import psutil

from bench.compare import goal
from bench.filling import beats
from bench.fleet import views_of
from bench.page import ask, made_page, setup_cookie
from collector.admin.keys import source_named
from collector.alerts.limits import limits_of
from collector.alerts.rules import RULES, Watch
from collector.base.background import start_jobs, stop_jobs
from collector.base.events import Event
from collector.base.ids import as_uuid, uuid_of
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.page.app import Page
from collector.store import Stores, open_stores
from collector.store.beats import narrow_beat
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.event_rows import PARTITION_MS, PARTITIONS
from collector.store.clickhouse.tables import EVENTS
from collector.store.spans import SLOT_MS
from tests.collector.clickhouse import Today

DAYS = 60
AT_ONCE = 1_000_000
INSTALLS = 100  # one of so many instances
PIECE = 2000
ROUNDS = 20
HEARTBEAT_BYTES, VIEW_MS = 45, 300
MANY, MANY_VIEW_MS = 1e8, 1000  # from so many heartbeats on, a view may take longer
# Views that `bench fleet` does not ask for. For the last ones the history is counted, which takes long.
OTHERS = (
    *("/overview.json", "/installs.json", "/installs.csv", "/support.json", "/steps", "/since"),
    *("/stuck", "/usage", "/adoption", "/releases"),
)

_WHO = "toFixedString(MD5(toString({})), 16)"
# The time of a heartbeat by its instance and its number, and an id with that time.
_AT = (
    f"toInt64({{now}} - {DAYS * DAY_MS} + cityHash64(n) % {{span}} + b * {SLOT_MS}"
    " + cityHash64(n, b) % 60000)"
)
_ID = (
    "toFixedString(concat(reverse(substring(reinterpretAsString(toUInt64(at)), 1, 6)),"
    " char(112 + n % 16), char(128 + b % 64), substring(MD5(toString(n * 1000 + b)), 1, 8)), 16)"
)


def fill(client: Client, source: int, instances: int, beats_each: int, now: int) -> None:
    """Put heartbeats into the table of events, in the order of time as far as one insert goes."""
    sample = beats([bytes(range(16))], now, 1, source)[0]
    narrow = narrow_beat(sample)
    assert narrow
    shape = "".join(f"\\x{byte:02x}" for byte in narrow[2].encode())
    span = DAYS * DAY_MS - beats_each * SLOT_MS
    at = _AT.format(now=now, span=span)
    said = {
        "source": f"toUInt32({source})",
        "id": _ID,
        "part": f"1 + intDiv(at, {PARTITION_MS}) % {PARTITIONS}",
        "ver": "18446744073709551615 - seq",
        "seq": "bitShiftLeft(toUInt64(at + 300), 20)",
        "received": "at + 200",
        "time": "at",
        "type": "'track'",
        "name": "'Instance Active'",
        "who": _WHO.format("n"),
        "run": "NULL",
        "body": f"'{shape}'",
        "wkey": "1",
        "size": "330",
        "telling": "1",
        "delay": "100",
        **dict.fromkeys(("version", "os", "os_version", "place", "told"), "''"),
    }
    columns = ", ".join(f"{said.get(name, '0')} AS of_{name}" for name in EVENTS.names.split(", "))
    columns = columns.replace(" AS of_seq", " AS seq")
    step = max(1, AT_ONCE // beats_each)
    for first in range(0, instances, step):
        lives = f"SELECT number + {first} AS n FROM numbers({min(step, instances - first)})"
        rows = f"SELECT n, b, {at} AS at FROM ({lives}) ARRAY JOIN range({beats_each}) AS b"
        client.run(f"INSERT INTO events ({EVENTS.names}) SELECT {columns} FROM ({rows}) ORDER BY at")
        print(f"\r  {first + step:,} instances", end="", flush=True)
    print()


def installs(ids: Sequence[bytes], source: int, now: int) -> Iterator[Event]:
    """Two events of an install of each."""
    for number, who in enumerate(ids):
        at = now - number % DAYS * DAY_MS - 60_000
        run = as_uuid(os.urandom(16))
        for name, later in (("Installation Started", 0), ("Installation Success", 50_000)):
            told = {
                "type": "track",
                "event": name,
                "anonymousId": as_uuid(who),
                "messageId": uuid_of((at + later).to_bytes(6, "big") + os.urandom(10), 7),
                "timestamp": write_time(at + later),
                "context": {
                    "app": {"version": f"1.{number % 20}"},
                    "os": {"name": "debian", "version": "12"},
                    "installation": {"id": run},
                },
                "properties": {"os": "debian", "durationSeconds": 50},
            }
            yield decode.read_event(told, "", source, at + later + 200, key=1)


def show(stores: Stores, ids: Sequence[bytes], source: int, engine: psutil.Process, most_ms: float) -> None:
    """Print how long each view takes, and a look for what is worth an alert; each may take `most_ms`."""
    page = made_page(stores)
    start_jobs(page.jobs)
    cookie, slowest = setup_cookie(stores), 0.0
    print(f"  {'':<46}{'cold ms':>9}{'p95 ms':>9}{'cpu cold':>9}{'cpu':>9}")
    asks: dict[str, Callable[[], None]] = {"alerts": partial(look, stores, source)}
    asks |= {view: partial(see, page, view, cookie) for view in (*views_of(ids), *OTHERS)}
    try:
        for name, ask_it in asks.items():
            took = [_timed(ask_it, engine) for _ in range(ROUNDS + 1)]
            p95, used = (sorted(one)[ROUNDS * 95 // 100 - 1] for one in zip(*took[1:], strict=True))
            cold, cpu = took[0]
            print(f"  {name[:46]:<46}{cold:>9.0f}{p95:>9.0f}{cpu:>9.0f}{used:>9.0f}", flush=True)
            slowest = max(slowest, p95)
        print(goal("slowest view, p95, ms", slowest, most_ms), flush=True)
    finally:
        stop_jobs(page.jobs)  # waits for what it counts, which may take minutes


def see(page: Page, view: str, cookie: str) -> None:
    """Ask for a view; of a list for programs, for its first piece."""
    asyncio.run(ask(page, view, cookie, head=".json" in view or ".csv" in view))


def look(stores: Stores, source: int) -> None:
    """Look for what is worth an alert, as the watcher does every minute."""
    watch = Watch(stores, source, "bench", limits_of(stores.control, source), {}, int(time.time() * 1000))
    for rule in RULES:
        list(rule(watch))


def _timed(ask_it: Callable[[], None], engine: psutil.Process) -> tuple[float, float]:
    before, began = _used(engine), time.perf_counter()
    ask_it()
    return (time.perf_counter() - began) * 1000, (_used(engine) - before) * 1000


def _used(engine: psutil.Process) -> float:
    times = engine.cpu_times()
    return float(times.user + times.system)


def measure(engine: Today, options: argparse.Namespace, folder: str) -> None:
    """Print all figures."""
    instances, total = int(options.instances), int(options.beats)
    url, now = engine.database(), int(time.time() * 1000)
    assert engine.process
    server = psutil.Process(engine.process.pid)
    with closing(open_stores(f"sqlite:///{folder}/control.db", url)) as stores:
        with stores.control.transaction() as tx:
            source = source_named(tx, "bench", 0)
        with closing(Client(read_address(url))) as client:
            fill(client, source, instances, total // instances, now)
            client.run("TRUNCATE TABLE versions")
            client.run("INSERT INTO versions VALUES (2)")
            began, used = time.perf_counter(), _used(server)
            with closing(open_stores(f"sqlite:///{folder}/control.db", url)) as updated:
                while updated.events.renew():
                    pass
            took = time.perf_counter() - began
            used = _used(server) - used
            print(f"  the table of instances is filled in {took:.0f} s, {used:.0f} s of the processor")
            print_sizes(client, total)
            wanted = "SELECT id FROM instances ORDER BY id LIMIT ?"
            some = client.rows(wanted, instances // INSTALLS)
        ids = [key for (key,) in some]
        told = [*installs(ids, source, now)]
        for start in range(0, len(told), PIECE):
            stores.events.keep(told[start : start + PIECE])
        ingest(stores, ids, source, server)
        show(stores, ids, source, server, MANY_VIEW_MS if total >= MANY else VIEW_MS)


def print_sizes(client: Client, total: int) -> None:
    """Print what a heartbeat takes."""
    sql = (
        "SELECT table, sum(bytes) AS n, count() AS parts FROM system.parts"
        " WHERE database = ? AND active GROUP BY table"
    )
    found = client.rows(sql, client.database)
    for table, size, parts in found:
        print(f"  {table}: {size / total:.2f} bytes a heartbeat, in {parts} parts")
    print(goal("bytes of a heartbeat", sum(size for _, size, _ in found) / total, HEARTBEAT_BYTES))


def ingest(stores: Stores, ids: Sequence[bytes], source: int, server: psutil.Process) -> None:
    """Print how fast heartbeats are kept, in full groups."""
    made = int(time.time() * 1000) - len(ids)
    found = beats(ids, made, len(ids), source)
    began, used = time.perf_counter(), _used(server)
    for start in range(0, len(found), PIECE):
        stores.events.keep(found[start : start + PIECE])
    took, cost = time.perf_counter() - began, _used(server) - used
    each = cost / len(found) * 1e6
    print(f"  {len(found) / took:,.0f} events/s; {each:.0f} µs of the engine's processor each")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench columns")
    parser.add_argument("--beats", type=float, default=1e6)
    parser.add_argument("--instances", type=float, default=1e5)
    options = parser.parse_args(argv)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    engine = Today(large=True)
    engine.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(engine, options, folder)
    finally:
        engine.remove()
    return 0

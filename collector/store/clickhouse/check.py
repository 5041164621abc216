"""Does a vendor's own ClickHouse do what the collector promises? It is tried in a scratch database.

Nothing is killed. Two stores write the same events at once, in different groups, and then all is counted.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from secrets import token_bytes, token_hex

from collector.base.events import NOTHING, Event
from collector.base.times import DAY_MS
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import AGE_SECONDS, FROZEN_SECONDS, local, replicas_of
from collector.store.clickhouse.store import ClickHouseEventStore
from collector.store.clickhouse.tables import drop_tables
from collector.store.errors import StoreError, StoreUnavailable
from collector.store.values import Finding

EVENTS, INSTANCES, MONTHS = 600, 6, 6
SOURCE, NAME = 1, "Checked"
LOOK_SECONDS, KEPT_SECONDS = 0.02, 60.0
# The last version that takes the time for a frozen server from its profile, and not from the query.
LAST_BY_PROFILE = 18


def check_clickhouse(url: str, password: str) -> Iterator[Finding]:
    """What holds and what does not, one after another. StoreError if nothing could be tried."""
    address = read_address(url, password)
    scratch = f"rollcall_check_{token_hex(6)}"
    begin, _, rest = url.rpartition(f"/{address.database}")
    own = f"{begin}/{scratch}{rest}"
    client = Client(read_address(own, password))
    with closing(client):
        try:
            with closing(ClickHouseEventStore(own, password)) as one:
                yield Finding(holds=True, text=f"the tables are made, in the scratch database {scratch}")
                with closing(ClickHouseEventStore(own, password)) as other:
                    yield from _checks(client, one, other)
        finally:
            with suppress(StoreError):  # whether it has gone is looked at below
                drop_tables(client)
        yield _dropped(client, scratch)


def _checks(client: Client, one: ClickHouseEventStore, other: ClickHouseEventStore) -> Iterator[Finding]:
    answering = len(client.rows_of_each("SELECT 1 AS one"))
    yield Finding(answering == client.size, f"{answering} of {client.size} servers answer")
    if client.cluster:
        yield _patience(client)
    events = _made_events(time.time_ns() // 1_000_000)
    began = time.monotonic()
    _keep(one, events)
    took = time.monotonic() - began
    if client.cluster:
        yield _replicated(client)
    yield _read_after(other, took)
    yield _kept_once(one, other, events)
    yield _forgotten(client, one, events)


def _made_events(now: int) -> list[Event]:
    """Events whose ids are of several months, so that they are in several partitions."""
    made = []
    for number in range(EVENTS):
        at = now - number % MONTHS * 30 * DAY_MS
        chance = token_bytes(10)
        key = at.to_bytes(6, "big") + bytes([0x70 | chance[0] & 0x0F]) + chance[1:]
        who = bytes([number % INSTANCES + 1]) * 16
        made.append(Event(SOURCE, key, now, at, "track", NAME, who, None, "{}", None, NOTHING))
    return made


def _keep(store: ClickHouseEventStore, events: list[Event]) -> None:
    """Store them as an agent's events come: again, where the answer is 503."""
    until = time.monotonic() + KEPT_SECONDS
    while True:
        try:
            store.keep(events)
        except StoreUnavailable:
            if time.monotonic() > until:
                raise
        else:
            return


def _replicated(client: Client) -> Finding:
    """Right after the answer, so many copies must be there."""
    replicas = replicas_of(client)
    wanted = (replicas // 2 + 1) * EVENTS
    copies = sum(
        n
        for ((n,),) in client.rows_of_each(
            f"SELECT count() AS n FROM {local(client, 'events')} FINAL WHERE source = ?", SOURCE
        )
    )
    text = f"acknowledged events were on {copies / EVENTS:.2f} replicas of {replicas}, at once"
    return Finding(copies >= wanted, f"{text}; at least {replicas // 2 + 1} are needed")


def _patience(client: Client) -> Finding:
    """How long a server waits for another one that gives no sign of life."""
    sql = "SELECT value, version() AS server FROM system.settings WHERE name = 'receive_timeout'"
    told = [row for rows in client.rows_of_each(sql, database=False) for row in rows]
    own = [int(seconds) for seconds, version in told if int(version.split(".")[0]) <= LAST_BY_PROFILE]
    longest = max(own, default=FROZEN_SECONDS)
    text = f"a server waits {longest} s for another one that is frozen"
    if longest > FROZEN_SECONDS:
        text += f"; set receive_timeout to {FROZEN_SECONDS} in the default profile of each"
    return Finding(longest <= FROZEN_SECONDS, text)


def _read_after(other: ClickHouseEventStore, took: float) -> Finding:
    began = time.monotonic()
    while (seen := _count(other)) != EVENTS and time.monotonic() - began < 2 * AGE_SECONDS:
        time.sleep(LOOK_SECONDS)
    age = time.monotonic() - began
    text = f"{EVENTS} events were acknowledged after {took:.2f} s"
    if seen != EVENTS:
        return Finding(holds=False, text=f"{text}, and {seen} of them could be read {age:.1f} s later")
    return Finding(
        age <= AGE_SECONDS, f"{text}, and read {age:.2f} s later; at most {AGE_SECONDS} s are promised"
    )


def _kept_once(one: ClickHouseEventStore, other: ClickHouseEventStore, events: list[Event]) -> Finding:
    """The same events again, in other orders and groups, through two stores at once."""

    def resend(store: ClickHouseEventStore, size: int) -> None:
        again = random.sample(events, len(events))
        for start in range(0, len(again), size):
            _keep(store, again[start : start + size])

    fresh = _made_events(time.time_ns() // 1_000_000)
    events += fresh
    with ThreadPoolExecutor(2) as threads:
        for job in [threads.submit(resend, one, 70), threads.submit(resend, other, 130)]:
            job.result()
    began = time.monotonic()
    while (counted := _count(one)) != len(events) and time.monotonic() - began < AGE_SECONDS:
        time.sleep(LOOK_SECONDS)
    exported = sum(map(len, one.export()))
    text = f"{len(events)} events were sent two or three times, in other groups, by two collectors at once"
    return Finding(counted == exported == len(events), f"{text}: {counted} are counted, {exported} exported")


def _forgotten(client: Client, store: ClickHouseEventStore, events: list[Event]) -> Finding:
    who = events[0].who or b""
    store.forget(SOURCE, who)
    left = 0
    for table, column in (("events", "who"), ("instances", "id")):
        sql = f"SELECT count() AS n FROM {local(client, table)} WHERE source = ? AND {column} = ?"
        left += sum(n for ((n,),) in client.rows_of_each(sql, SOURCE, who))
    return Finding(left == 0, f"a deleted instance has left {left} rows on the servers that answer")


def _count(store: ClickHouseEventStore) -> int:
    today = time.time_ns() // 1_000_000 // DAY_MS
    with suppress(StoreUnavailable):
        return sum(store.count_by_day(SOURCE, NAME, 0, today + 1).values())
    return 0


def _dropped(client: Client, scratch: str) -> Finding:
    sql = "SELECT count() AS n FROM system.databases WHERE name = ?"
    there = sum(n for ((n,),) in client.rows_of_each(sql, scratch, database=False))
    if there:
        return Finding(
            holds=False, text=f"{there} servers still have the scratch database; drop {scratch} by hand"
        )
    return Finding(holds=True, text="the scratch database is gone")

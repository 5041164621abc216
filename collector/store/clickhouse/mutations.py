"""Deletion of rows: ClickHouse rewrites parts of a table, in the background, and we wait for it.

In a cluster each server does so with its own parts. We wait for all that answer; a server that is away does
it when it is back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from secrets import token_hex

from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import catch_up, local, on_cluster
from collector.store.clickhouse.pushing import PUSHED, push_rows
from collector.store.errors import StoreUnavailable

# So many ids one deletion names. An alteration is kept in ZooKeeper, which takes a megabyte.
AT_ONCE = 5000
# So long a deletion may take, and so often it is looked at.
LONGEST_SECONDS, FIRST_WAIT, LONGEST_WAIT = 600.0, 0.002, 1.0
# Servers of before May 2020 may leave a part alone for ever, or never say that a deletion has ended which has
# no part left to rewrite. After so long they are helped: with a part again after twice as long, and so on.
STUCK_SECONDS = 10.0


def delete_rows(client: Client, table: str, where: str, *values: object) -> None:
    """Delete rows, and wait until they are gone. StoreUnavailable if that takes too long: it goes on then."""
    mark = token_hex(8)  # by which each server knows this deletion, once it has heard of it
    _alter(client, table, f"DELETE WHERE ({where}) AND '{mark}' <> ''", *values)
    state = (
        "SELECT count() AS n, sum(is_done) AS ended, sum(parts_to_do) AS parts FROM system.mutations"
        " WHERE database = currentDatabase() AND table = ? AND position(command, ?) > 0"
    )

    def states() -> list[tuple[int, int, int]]:
        return [found[0] for found in client.rows_of_each(state, local(client, table), mark)]

    def push() -> None:
        if client.cluster and table in PUSHED:
            push_rows(client, PUSHED[table])

    _wait(lambda: all(n > 0 for n, *_ in states()), table)
    push()
    began, patience = time.monotonic(), STUCK_SECONDS

    def has_ended() -> bool:
        nonlocal patience
        found = states()
        if all(n == ended for n, ended, _ in found):
            return True
        waited = time.monotonic() - began
        if waited < STUCK_SECONDS:
            return False
        if any(parts for *_, parts in found):
            if waited >= patience:
                push()
                patience *= 2
            return False
        catch_up(client, table)  # a part that a server has yet to fetch is not counted
        return not any(parts for *_, parts in states())

    _wait(has_ended, table)


def drop_partition(client: Client, table: str, partition: int) -> None:
    """Drop a partition, and wait until it is gone."""
    _alter(client, table, f"DROP PARTITION {partition}")
    state = (
        "SELECT sum(rows) AS n FROM system.parts"
        " WHERE database = currentDatabase() AND table = ? AND partition = ? AND active"
    )
    own = local(client, table)
    _wait(lambda: all(rows == [(0,)] for rows in client.rows_of_each(state, own, str(partition))), table)


def delete_ids(client: Client, table: str, source: int, keys: Sequence[bytes]) -> None:
    """Delete the rows of any number of ids."""
    for start in range(0, len(keys), AT_ONCE):
        delete_rows(client, table, "source = ? AND id IN ?", source, keys[start : start + AT_ONCE])


def delete_found(client: Client, table: str, where: str) -> bool:
    """Delete rows if there are any; whether there were."""
    if client.rows(f"SELECT count() AS n FROM {table} WHERE {where}") == [(0,)]:
        return False
    delete_rows(client, table, where)
    return True


def drop_censuses(client: Client) -> None:
    """Drop them all: they name versions and systems that may be deleted now."""
    delete_found(client, "censuses", "1 = 1")


def _alter(client: Client, table: str, change: str, *values: object) -> None:
    client.run(f"ALTER TABLE {local(client, table)} {on_cluster(client)} {change}", *values)


def _wait(is_done: Callable[[], bool], table: str) -> None:
    end, wait = time.monotonic() + LONGEST_SECONDS, FIRST_WAIT
    while not is_done():
        if time.monotonic() > end:
            raise StoreUnavailable(f"ClickHouse has not finished to delete from {table}; it goes on")
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)

"""Deletion of rows: ClickHouse rewrites parts of a table, in the background, and we wait for it."""

from __future__ import annotations

import time

from collector.store.clickhouse.client import Client
from collector.store.errors import StoreUnavailable

# So long a deletion may take, and so often it is looked at.
LONGEST_SECONDS, FIRST_WAIT, LONGEST_WAIT = 600.0, 0.002, 1.0


def delete_rows(client: Client, table: str, where: str, *values: object) -> None:
    """Delete rows, and wait until they are gone. StoreUnavailable if that takes too long: it goes on then."""
    client.run(f"ALTER TABLE {table} DELETE WHERE {where}", *values)
    end, wait = time.monotonic() + LONGEST_SECONDS, FIRST_WAIT
    under_way = (
        "SELECT count() AS n FROM system.mutations"
        " WHERE database = currentDatabase() AND table = ? AND is_done = 0"
    )
    while client.rows(under_way, table) != [(0,)]:
        if time.monotonic() > end:
            raise StoreUnavailable(f"ClickHouse has not finished to delete from {table}; it goes on")
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)


def delete_found(client: Client, table: str, where: str) -> None:
    """Delete rows if there are any."""
    if client.rows(f"SELECT count() AS n FROM {table} WHERE {where}") != [(0,)]:
        delete_rows(client, table, where)


def drop_censuses(client: Client) -> None:
    """Drop them all: they name versions and systems that may be deleted now."""
    delete_found(client, "censuses", "1 = 1")

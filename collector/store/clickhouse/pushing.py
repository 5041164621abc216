"""A row that says nothing in each partition, so that older servers delete from all that came before it.

A server of 2018 leaves the part alone that was inserted last with a quorum, of each partition of each shard.
A deletion from it would wait until another event comes to the same partition. Servers read from ZooKeeper
which parts these are, and write them back with each insert. One that reads from a member that lags writes an
older part back. So rows are pushed again if a deletion does not end. No question finds these rows: their
source is 0, and their times lie in no period.
"""

from __future__ import annotations

import time

from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import local
from collector.store.clickhouse.states import no_sighting
from collector.store.clickhouse.tables import EVENTS, INSTANCES, ClickHouseTable

FAR = 2**62
TRIED = 10_000  # ids, of which some belong to each shard


# The tables whose inserts wait for a quorum.
PUSHED = {table.name: table for table in (EVENTS, INSTANCES)}


def push_rows(client: Client, table: ClickHouseTable) -> None:
    """Insert such a row into each partition of each shard that has rows of a table."""
    ids = _ids_by_shard(client)
    if table is INSTANCES:  # which has one partition
        rows = [no_sighting(0, key, time.time_ns()) for key in ids]
    else:
        rows = [_row(key, partition) for partition in _partitions(client) for key in ids]
    client.insert(table, rows, acknowledged=True)


def _partitions(client: Client) -> list[int]:
    sql = (
        "SELECT DISTINCT partition FROM system.parts"
        " WHERE database = currentDatabase() AND table = ? AND active"
    )
    found = client.rows_of_each(sql, local(client, EVENTS.name))
    return sorted({int(partition) for rows in found for (partition,) in rows})


def _ids_by_shard(client: Client) -> list[bytes]:
    weights = (
        "SELECT shard_num, max(shard_weight) AS weight FROM system.clusters WHERE cluster = ?"
        " GROUP BY shard_num"
    )
    total = sum(weight for _, weight in client.rows(weights, client.cluster))
    sql = (
        f"SELECT {EVENTS.shard} % {total} AS place, min(id) AS first"
        f" FROM (SELECT toFixedString(toString(number), 16) AS id FROM system.numbers LIMIT {TRIED})"
        " GROUP BY place"
    )
    return [key for _, key in client.rows(sql)]


def _row(key: bytes, partition: int) -> tuple[object, ...]:
    # Each time another version: a repeated block would be left out.
    numbers = (0, key, partition, time.time_ns(), 0, FAR, FAR)
    return (*numbers, "", "", None, None, "", None, 0, 0, 0, 0, "", "", "", "", "", 0)

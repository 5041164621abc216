"""A cluster of ClickHouse servers: several shards, each with several replicas.

Every statement goes to one server, whichever answers. Its tables `events` and so on are distributed: they
read one replica of each shard, and write to one. An event is acknowledged when most replicas of its shard
have it.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from collector.store.clickhouse.client import Client
from collector.store.errors import StoreError, StoreUnavailable

logger = logging.getLogger("rollcall.collector")

# A replica that is further behind is not asked. So this is how old an answer may be.
AGE_SECONDS = 5
QUORUM_MS = 5000
# A server asks others for us. After this time it gives up one that is frozen, and asks another replica.
FROZEN_SECONDS = 10

_SETTINGS = {
    "insert_distributed_sync": "1",
    "distributed_product_mode": "global",
    "max_replica_delay_for_distributed_queries": str(AGE_SECONDS),
    "fallback_to_stale_replicas_for_distributed_queries": "0",
    "connect_timeout_with_failover_ms": "1000",
    "receive_timeout": str(FROZEN_SECONDS),
    # Who changes a table asks the servers themselves when it is done.
    "distributed_ddl_task_timeout": "0",
}
# Since 26.2 this setting alone says whether a server leaves out blocks that it had before, and it does.
_LEAVES_OUT = "deduplicate_insert"


def join_cluster(*clients: Client) -> None:
    """Learn how many replicas there are, and have inserts of events wait for most of them.

    StoreError if no server knows the cluster.
    """
    most = replicas_of(clients[0]) // 2 + 1
    quorum = {"insert_quorum": str(most), "insert_quorum_timeout": str(QUORUM_MS)}
    again = {_LEAVES_OUT: "disable"} if _know(clients[0], _LEAVES_OUT) else {}
    for client in clients:
        client.configure(_SETTINGS, quorum if most > 1 else {}, again)


def _know(client: Client, setting: str) -> bool:
    """Whether all servers that answer know a setting; older ones refuse a statement with it."""
    sql = "SELECT name FROM system.settings WHERE name = ?"
    with suppress(StoreError):
        return all(client.rows_of_each(sql, setting, database=False))
    return False


def replicas_of(client: Client) -> int:
    """How many replicas each shard has, at least. StoreError if no server knows the cluster."""
    sql = "SELECT shard_num, count() AS n FROM system.clusters WHERE cluster = ? GROUP BY shard_num"
    shards = client.rows(sql, client.cluster, database=False)
    if not shards:
        raise StoreError(f"the servers know no cluster {client.cluster!r}; see system.clusters")
    replicas = {int(n) for _, n in shards}
    if len(replicas) > 1:
        text = "the shards of %s have %d to %d replicas; events are acknowledged as if each had the fewest"
        logger.warning(text, client.cluster, min(replicas), max(replicas))
    return min(replicas)


def local(client: Client, table: str) -> str:
    """The name of the table that has the rows of one server."""
    return f"{table}_local" if client.cluster else table


def on_cluster(client: Client) -> str:
    """What has a definition made on all servers."""
    return f"ON CLUSTER {client.cluster}" if client.cluster else ""


def catch_up(client: Client, *tables: str, all_of_them: bool = False) -> None:
    """Let every server that can be reached have all that is written. StoreUnavailable if one cannot.

    Or if one is away, where all of them are needed.
    """
    if client.cluster:
        for table in tables:
            reached = client.run_on_each(f"SYSTEM SYNC REPLICA {local(client, table)}")
            if all_of_them and reached < client.size:
                raise StoreUnavailable(f"{client.size - reached} servers of ClickHouse are away")

"""The tables of the event store in ClickHouse.

    events         what was sent; a heartbeat of the agent with the shape of its JSON (see `beats.py`)
    instances      what they say of each instance, as states that are merged (see `sightings.py`)
    past_instances what expired events said of instances that still are there
    past_runs      the same of runs
    past_counters  what is counted of all that has expired whole, without ids and words
    cutoffs        up to when heartbeats and other events of a source have expired
    expiries       what expired when; a batch counts from the moment its row is there
    censuses       the last census of each large source, for the first view after a start
    versions       which versions of these tables there were

Each is keyed by what a repeated insert repeats, and of two rows with one key one stays, or both are merged
into one. The partition of an event follows from its id, and so does the shard, so that it always comes to the
same place.

In a cluster (`cluster.py`) each table is replicated within its shard under the name `…_local`, and the name
without `_local` reads and writes the tables of all shards.
"""

from __future__ import annotations

from dataclasses import dataclass

from collector.store.clickhouse.client import Client
from collector.store.clickhouse.cluster import local, on_cluster
from collector.store.errors import StoreError

VERSION = 3
# Since this version `instances` has a row of every instance.
INSTANCES_SINCE = 3

# Servers since then can flush an insert to the disk before they answer. Older ones leave that to the system.
FLUSHES_FROM = 21
# They also know codecs. Numbers that grow from heartbeat to heartbeat then take a third of the room.
CODECS_FROM = 21
_CODECS = {
    "events": {
        **dict.fromkeys(("ver", "seq", "received", "time"), "CODEC(Delta, ZSTD)"),
        **dict.fromkeys(("delay", "skew"), "CODEC(ZSTD)"),
    },
    "instances": dict.fromkeys(("first", "last", "last_beat", "said", "fact", "day_set"), "CODEC(ZSTD)"),
}
_FLUSHED = ", fsync_after_insert = 1, fsync_part_directory = 1"


@dataclass(frozen=True)
class ClickHouseTable:
    """A table: its columns with their types. Of two rows with one key that with the greater version stays.

    Or both are merged, if it is aggregating.
    """

    name: str
    columns: str
    order: str
    version: str = ""
    partition: str = ""
    shard: str = "0"  # a number that says in which shard a row is: all rows in one, or by their ids
    granularity: int = 8192
    aggregating: bool = False

    @property
    def names(self) -> str:
        """The names of its columns, as SQL."""
        return ", ".join(column.split(" ")[0] for column in self.columns.split(", "))


_BY_ID = "cityHash64(id)"

# Small granules, because most reads are of a few ids that lie anywhere.
EVENTS = ClickHouseTable(
    "events",
    "source UInt32, id FixedString(16), part UInt8, ver UInt64, seq UInt64, received Int64, time Int64,"
    " type String, name String, who Nullable(FixedString(16)), run Nullable(FixedString(16)), body String,"
    " wkey Nullable(Int64), size UInt32, telling UInt8, delay Int32, skew Int32, version String, os String,"
    " os_version String, place String, told String, environment UInt8",
    order="source, id",
    version="ver",
    partition="part",
    shard=_BY_ID,
    granularity=1024,
)
INSTANCES = ClickHouseTable(
    "instances",
    "source UInt32, id FixedString(16),"
    " first AggregateFunction(min,Int64), last AggregateFunction(max,Int64),"
    " last_beat AggregateFunction(max,Int64), said AggregateFunction(max,Int64),"
    " fact AggregateFunction(max,String), day_set AggregateFunction(groupUniqArray,UInt32)",
    order="source, id",
    shard=_BY_ID,
    granularity=1024,
    aggregating=True,
)
PAST_INSTANCES = ClickHouseTable(
    "past_instances",
    "batch UInt64, source UInt32, id FixedString(16), ver UInt8, first Int64, last Int64, last_beat Int64,"
    " beats UInt64, slots Array(Int64), facts_at Int64, version String, os String, os_version String,"
    " environment_at Int64, environment UInt8",
    order="source, id",
    version="ver",
    partition="batch",
    shard=_BY_ID,
)
PAST_RUNS = ClickHouseTable(
    "past_runs",
    "batch UInt64, source UInt32, id FixedString(16), ver UInt8, instance FixedString(16), version String,"
    " os String, os_version String, started Int64, ended Int64, told String, place String, asked Int64,"
    " request String, environment UInt8",
    order="source, id",
    version="ver",
    partition="batch",
    shard=_BY_ID,
)
COUNTERS = ClickHouseTable(
    "past_counters",
    "batch UInt64, source UInt32, kind String, a Int64, b Int64, word String, n Int64",
    order="source, kind, a, b, word, batch",
)
CUTOFFS = ClickHouseTable(
    "cutoffs", "batch UInt64, source UInt32, beats Int64, events Int64", order="batch, source"
)
EXPIRIES = ClickHouseTable(
    "expiries",
    "batch UInt64, at Int64, kept_from UInt64, beats_before Int64, events_before Int64, until UInt64,"
    " beats UInt64, events UInt64, emails UInt64, done UInt8",
    order="batch",
    version="done",
)
CENSUSES = ClickHouseTable("censuses", "source UInt32, at Int64, packed String", "source", "at")
VERSIONS = ClickHouseTable("versions", "version UInt32", "version")
TABLES = (EVENTS, INSTANCES, PAST_INSTANCES, PAST_RUNS, COUNTERS, CUTOFFS, EXPIRIES, CENSUSES, VERSIONS)


# A server of a cluster that is not there when the tables are made is waited for so long.
_MAKING_SECONDS = "60"


def make_tables(client: Client) -> None:
    """Make the database and the tables that are not there yet."""
    there = client.rows("SELECT name FROM system.tables WHERE database = ?", client.database, database=False)
    if not {(table.name,) for table in TABLES} <= set(there):
        _create(client)
    ((newest,),) = client.rows("SELECT max(version) AS newest FROM versions")
    if newest > VERSION:
        raise StoreError(
            f"a newer collector has changed these tables: their version is {newest}, and the newest that"
            f" this collector knows is {VERSION}; install the newer collector again, or restore a backup"
        )
    for table in TABLES:
        _add_columns(client, table)
    if _server_version(client) >= CODECS_FROM:
        for table in (EVENTS, INSTANCES):
            _set_codecs(client, table)
    if not newest:
        note_version(client)


def note_version(client: Client) -> None:
    """Remember that the tables are as this version makes them, and all that is in them."""
    client.insert(VERSIONS, [(VERSION,)])


def has_instances(client: Client) -> bool:
    """Whether `instances` has a row of every instance."""
    ((newest,),) = client.rows("SELECT max(version) AS newest FROM versions")
    return bool(newest >= INSTANCES_SINCE)


def _add_columns(client: Client, table: ClickHouseTable) -> None:
    """Add the columns that an older version did not make. They are 0 or empty in the rows of before."""
    sql = "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = ?"
    there = {name for (name,) in client.rows(sql, table.name)}
    for column in table.columns.split(", "):
        if column.split(" ")[0] not in there:
            for name in dict.fromkeys([local(client, table.name), table.name]):
                _define(client, f"ALTER TABLE {name} {on_cluster(client)} ADD COLUMN {column}")


def _set_codecs(client: Client, table: ClickHouseTable) -> None:
    """Let new parts of a table take less room; older ones follow as they are merged."""
    own, codecs = local(client, table.name), _CODECS[table.name]
    sql = "SELECT name, compression_codec AS codec FROM system.columns WHERE table = ?"
    there: dict[str, str] = dict(client.rows(f"{sql} AND database = currentDatabase()", own))
    changes = [
        f"MODIFY COLUMN {column} {codecs[name]}"
        for column in table.columns.split(", ")
        if (name := column.split(" ")[0]) in codecs and there.get(name) == ""
    ]
    if changes:
        _define(client, f"ALTER TABLE {own} {on_cluster(client)} {', '.join(changes)}")


def _server_version(client: Client) -> int:
    """The first number of the server's version."""
    ((version,),) = client.rows("SELECT version() AS server")
    return int(version.split(".")[0])


def drop_tables(client: Client) -> None:
    """Drop the database with all that is in it."""
    _define(client, f"DROP DATABASE IF EXISTS {client.database} {on_cluster(client)}", database=False)


def _create(client: Client) -> None:
    _define(client, f"CREATE DATABASE IF NOT EXISTS {client.database} {on_cluster(client)}", database=False)
    flushed = _FLUSHED if _server_version(client) >= FLUSHES_FROM else ""
    for table in TABLES:
        for statement in _definitions(client, table, flushed):
            _define(client, statement)


def _definitions(client: Client, table: ClickHouseTable, flushed: str) -> list[str]:
    """The statements that make a table, of one server or of a cluster."""
    path = f"'/clickhouse/tables/{{shard}}/{client.database}/{table.name}', '{{replica}}'"
    replicated = "Replicated" if client.cluster else ""
    engine = f"{replicated}{'Aggregating' if table.aggregating else 'Replacing'}MergeTree"
    told = ", ".join(filter(None, [path if replicated else "", table.version]))
    partition = f" PARTITION BY {table.partition}" if table.partition else ""
    own = local(client, table.name)
    kept = (
        f"CREATE TABLE IF NOT EXISTS {own} {on_cluster(client)} ({table.columns})"
        f" ENGINE = {engine}({told}){partition} ORDER BY ({table.order})"
        f" SETTINGS index_granularity = {table.granularity}{flushed}"
    )
    if not client.cluster:
        return [kept]
    spread = f"Distributed({client.cluster}, {client.database}, {own}, {table.shard})"
    return [
        kept,
        f"CREATE TABLE IF NOT EXISTS {table.name} {on_cluster(client)} ({table.columns}) ENGINE = {spread}",
    ]


def _define(client: Client, statement: str, *, database: bool = True) -> None:
    waits = {"distributed_ddl_task_timeout": _MAKING_SECONDS} if client.cluster else {}
    client.run(statement, database=database, settings=waits)

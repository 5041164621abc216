"""The tables of the event store in ClickHouse.

    events         what was sent; a heartbeat of the agent with the shape of its JSON (see `beats.py`)
    past_instances what expired events said of instances that still are there
    past_runs      the same of runs
    past_counters  what is counted of all that has expired whole, without ids and words
    cutoffs        up to when heartbeats and other events of a source have expired
    expiries       what expired when; a batch counts from the moment its row is there
    censuses       the last census of each large source, for the first view after a start
    versions       which versions of these tables there were

Each is keyed by what a repeated insert repeats, and of two rows with one key one stays. The partition of an
event follows from its id, so that it always comes to the same place.
"""

from __future__ import annotations

from dataclasses import dataclass

from collector.store.clickhouse.client import Client
from collector.store.errors import StoreError

VERSION = 2

# Servers since then can flush an insert to the disk before they answer. Older ones leave that to the system.
FLUSHES_FROM = 21
_FLUSHED = ", fsync_after_insert = 1, fsync_part_directory = 1"


@dataclass(frozen=True)
class ClickHouseTable:
    """A table: its columns with their types, and what of its rows is merged, by which key."""

    name: str
    columns: str
    rest: str
    settings: str = "index_granularity = 8192"

    @property
    def names(self) -> str:
        """The names of its columns, as SQL."""
        return ", ".join(column.split(" ")[0] for column in self.columns.split(", "))


# Small granules, because most reads are of a few ids that lie anywhere.
EVENTS = ClickHouseTable(
    "events",
    "source UInt32, id FixedString(16), part UInt8, ver UInt64, seq UInt64, received Int64, time Int64,"
    " type String, name String, who Nullable(FixedString(16)), run Nullable(FixedString(16)), body String,"
    " wkey Nullable(Int64), size UInt32, telling UInt8, delay Int32, skew Int32, version String, os String,"
    " os_version String, place String, told String, environment UInt8",
    "(ver) PARTITION BY part ORDER BY (source, id)",
    "index_granularity = 1024",
)
INSTANCES = ClickHouseTable(
    "past_instances",
    "batch UInt64, source UInt32, id FixedString(16), ver UInt8, first Int64, last Int64, last_beat Int64,"
    " beats UInt64, slots Array(Int64), facts_at Int64, version String, os String, os_version String,"
    " environment_at Int64, environment UInt8",
    "(ver) PARTITION BY batch ORDER BY (source, id)",
)
RUNS = ClickHouseTable(
    "past_runs",
    "batch UInt64, source UInt32, id FixedString(16), ver UInt8, instance FixedString(16), version String,"
    " os String, os_version String, started Int64, ended Int64, told String, place String, asked Int64,"
    " request String, environment UInt8",
    "(ver) PARTITION BY batch ORDER BY (source, id)",
)
COUNTERS = ClickHouseTable(
    "past_counters",
    "batch UInt64, source UInt32, kind String, a Int64, b Int64, word String, n Int64",
    "ORDER BY (source, kind, a, b, word, batch)",
)
CUTOFFS = ClickHouseTable(
    "cutoffs", "batch UInt64, source UInt32, beats Int64, events Int64", "ORDER BY (batch, source)"
)
EXPIRIES = ClickHouseTable(
    "expiries",
    "batch UInt64, at Int64, kept_from UInt64, beats_before Int64, events_before Int64, until UInt64,"
    " beats UInt64, events UInt64, emails UInt64, done UInt8",
    "(done) ORDER BY batch",
)
CENSUSES = ClickHouseTable("censuses", "source UInt32, at Int64, packed String", "(at) ORDER BY source")
VERSIONS = ClickHouseTable("versions", "version UInt32", "ORDER BY version")
TABLES = (EVENTS, INSTANCES, RUNS, COUNTERS, CUTOFFS, EXPIRIES, CENSUSES, VERSIONS)


def make_tables(client: Client, database: str) -> None:
    """Make the database and the tables that are not there yet."""
    client.run(f"CREATE DATABASE IF NOT EXISTS {database}", database=False)
    ((server,),) = client.rows("SELECT version() AS server")
    flushed = _FLUSHED if int(server.split(".")[0]) >= FLUSHES_FROM else ""
    for table in TABLES:
        engine = f"ReplacingMergeTree {table.rest} SETTINGS {table.settings}{flushed}"
        client.run(f"CREATE TABLE IF NOT EXISTS {table.name} ({table.columns}) ENGINE = {engine}")
    ((newest,),) = client.rows("SELECT max(version) AS newest FROM versions")
    if newest > VERSION:
        raise StoreError(
            f"a newer collector has changed these tables: their version is {newest}, and the newest that"
            f" this collector knows is {VERSION}; install the newer collector again, or restore a backup"
        )
    for table in TABLES:
        _add_columns(client, table)
    if newest < VERSION:
        client.insert(VERSIONS, [(VERSION,)])


def _add_columns(client: Client, table: ClickHouseTable) -> None:
    """Add the columns that an older version did not make. They are 0 or empty in the rows of before."""
    sql = "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = ?"
    there = {name for (name,) in client.rows(sql, table.name)}
    for column in table.columns.split(", "):
        if column.split(" ")[0] not in there:
            client.run(f"ALTER TABLE {table.name} ADD COLUMN {column}")

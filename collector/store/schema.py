"""The tables, in one readable place. migrations.py makes them.

Times are milliseconds since 1970 (UTC), days are whole days since 1970, ids are 16 bytes.

Of the event store:

    usage                 what each process (lane) has added for a key in an hour: events, and bytes of disk
    pending               events that are kept and not counted yet: what the counters need of them
    expired               up to when heartbeats and other events of a source have expired
    marks                 when something expired last; down to which number events were stored anew; recounts
    events                what was sent: typed columns for what is asked often, the whole event as JSON
    shapes                the JSON of heartbeats without their ids and times, and the key that they came with
    beat_days             the days of each source that have a table of heartbeats
    beats_20786, …        the heartbeats of a day, counted from 1970: ids, times and the number of a shape
    instances             one row per installation that reported: when, how often, which version
    runs                  one row per run of an install script: its story, its failure, its request for help
    daily                 events counted by day, type and name
    active                how many more instances were alive in the last 1, 7 and 30 days than a day before
    outcomes              runs by the day they began and how they ended; also by version, system and place
    words                 the names, versions, systems and places that are counted by themselves on a day
    cohorts               instances by the week of their first event
    retention             those of a cohort that were alive in a week
    censuses              the last count of the instances of each large source
    removals              instances and runs to be made anew, because events of theirs were deleted

Of the control store:

    sources, write_keys   who may send, and how much; keys as SHA-256
    answered              requests for help that somebody has answered
    rejects               events that can never be taken, counted by day, code and library
    users, sessions       the users of the page, and who is signed in
    tokens                programs that may read the page
    audit                 who signed in, and who changed users, keys, tokens and releases
    releases              the latest release feed of each source, and its signature
    release_keys          the public keys that may sign it
    alerts                troubles that have begun, and those that are over
    alert_messages        messages about them: those that wait, and what became of the others
    alert_limits          what is worth a message, for each source
    bundles, bundle_parts sealed support bundles, whole or on their way
    public_sources, …     sources with a public page; public_weeks, public_cells: the numbers on it
    members, member_*     who opens bundles: wrapped keys and verifiers, which open nothing by themselves
    setup                 the setup link and the session of whoever opened it, while no user exists

Only usage and pending change in the transaction that inserts events. Only migrations name tables of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Kind = Literal["int", "text", "bytes"]


@dataclass(frozen=True)
class Table:
    """A table whose rows are written many at a time."""

    name: str
    columns: tuple[tuple[str, Kind, bool], ...]  # name, kind, may be null
    key: tuple[str, ...]
    on_conflict: Literal["ignore", "replace", "add"]
    clustered: bool = True  # WITHOUT ROWID: short rows found by their key

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in self.columns)

    @cached_property
    def conflict_clause(self) -> str:
        """What an insert does with a row whose key is there already."""
        target = ", ".join(self.key)
        if self.on_conflict == "ignore":
            return f"ON CONFLICT ({target}) DO NOTHING"
        rest = [name for name in self.names if name not in self.key]
        form = "{0} = excluded.{0}" if self.on_conflict == "replace" else "{0} = {1}.{0} + excluded.{0}"
        changes = ", ".join(form.format(name, self.name) for name in rest)
        return f"ON CONFLICT ({target}) DO UPDATE SET {changes}"


def columns_of(text: str) -> tuple[tuple[str, Kind, bool], ...]:
    """`name:int when:int?` as columns; a question mark allows null."""
    kinds: dict[str, Kind] = {"int": "int", "text": "text", "bytes": "bytes"}
    pairs = (word.split(":") for word in text.split())
    return tuple((name, kinds[kind.rstrip("?")], kind.endswith("?")) for name, kind in pairs)


def counter(name: str, key: str) -> Table:
    """A table that counts: `n` by its key."""
    columns = columns_of(f"{key} n:int")
    return Table(name, columns, tuple(column for column, _, _ in columns[:-1]), "add")


EVENTS = Table(
    "events",
    columns_of(
        "source:int id:bytes received:int time:int type:text name:text who:bytes? run:bytes? body:text"
        " key:int?",
    ),
    key=("source", "id"),
    on_conflict="ignore",
    clustered=False,
)
INSTANCES = Table(
    "instances",
    columns_of(
        "source:int id:bytes first_seen:int last_seen:int last_beat:int? beats:int first_day:int"
        " packed_slots:bytes facts_at:int? version:text os:text os_version:text environment:int"
        " environment_at:int?",
    ),
    key=("source", "id"),
    on_conflict="replace",
)
RUNS = Table(
    "runs",
    columns_of(
        "source:int id:bytes instance:bytes version:text os:text os_version:text started:int? ended:int?"
        " outcome:text? duration:int? reason:text? exit_code:int? signal:text? script:text? line:int?"
        " command:text? asked:int? email:text? reference:text? environment:int",
    ),
    key=("source", "id"),
    on_conflict="replace",
)
_USED = columns_of("key:int hour:int lane:int events:int bytes:int")
USAGE = Table("usage", _USED, key=("key", "hour", "lane"), on_conflict="add")
DAILY = counter("daily", "source:int day:int type:text name:text")
# In the next three, the column `established` has the standing of instances: 2 * environment + established, so
# it is odd for established ones (see scope.py). The name is older than environments are, and stays: after a
# rename, a collector that still runs an older version could count nothing.
ACTIVE = counter("active", "source:int day:int span:int established:int")
COHORTS = counter("cohorts", "source:int cohort:int established:int")
RETENTION = counter("retention", "source:int cohort:int established:int week:int")
OUTCOMES = counter("outcomes", "source:int kind:text day:int word:text outcome:text")

# Columns that the database computes. When a run began; without a start, the time of its end.
BEGAN = "coalesce(started, ended)"
# Where it failed, as one text: script, line, program, and the signal, exit code or reason.
SEPARATOR = "\x1f"
PLACE = f" || '{SEPARATOR}' || ".join(
    (
        "coalesce(script, '')",
        "coalesce(CAST(line AS TEXT), '')",
        "coalesce(command, '')",
        "coalesce(signal, CAST(exit_code AS TEXT), reason, '')",
    )
)


def create_table(table: Table, dialect: str) -> str:
    """The CREATE TABLE of a table in a dialect."""
    types = {"int": "INTEGER", "text": "TEXT", "bytes": "BLOB"}
    if dialect == "postgresql":
        types = {"int": "BIGINT", "text": "TEXT", "bytes": "BYTEA"}
    columns = table.columns
    if dialect == "postgresql":  # numbers first: behind a text, each would begin at a multiple of 8 bytes
        columns = tuple(sorted(columns, key=lambda column: column[1] != "int"))
    lines = [f"{name} {types[kind]}{'' if null else ' NOT NULL'}" for name, kind, null in columns]
    if not table.clustered:
        number = (
            "INTEGER PRIMARY KEY"
            if dialect == "sqlite"
            else "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        )
        lines.insert(0, f"seq {number}")
        lines.append(f"UNIQUE ({', '.join(table.key)})")
    else:
        lines.append(f"PRIMARY KEY ({', '.join(table.key)})")
    tail = " WITHOUT ROWID" if table.clustered and dialect == "sqlite" else ""
    return f"CREATE TABLE {table.name} ({', '.join(lines)}){tail}"

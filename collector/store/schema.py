"""The tables, in one readable place, and the migrations that make them.

Times are milliseconds since 1970 (UTC), days are whole days since 1970, ids are 16 bytes.

Of the event store:

    usage                 what each process (lane) has added for a key in an hour: events, and bytes of disk
    pending               events that are kept and not counted yet: what the counters need of them
    expired               up to when heartbeats and other events of a source have expired
    marks                 when something expired last; down to which number events were stored anew
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
    removals              instances and runs to be made anew, because events of theirs were deleted

Of the control store:

    sources, write_keys   who may send, and how much; keys as SHA-256
    answered              requests for help that somebody has answered
    rejects               events that can never be taken, counted by day, code and library
    users, sessions       the users of the page, and who is signed in
    tokens                programs that may read the page
    audit                 who signed in, and who changed users, keys and tokens
    setup                 the setup link and the session of whoever opened it, while no user exists

Only usage and pending change in the transaction that inserts events. Only migrations name tables of both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from collector.store.apart import counting_apart, expiry_by_source, old_heartbeats
from collector.store.bounds import bounded_lists, bounded_words, key_limits, listed_states, removal_notes
from collector.store.dialect import Executes

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


def _counter(name: str, key: str) -> Table:
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
        "source:int id:bytes first_seen:int last_seen:int last_beat:int? beats:int first_day:int slots:bytes"
        " facts_at:int? version:text os:text os_version:text",
    ),
    key=("source", "id"),
    on_conflict="replace",
)
RUNS = Table(
    "runs",
    columns_of(
        "source:int id:bytes instance:bytes version:text os:text os_version:text started:int? ended:int?"
        " outcome:text? duration:int? reason:text? exit_code:int? signal:text? script:text? line:int?"
        " command:text? asked:int? email:text? reference:text?",
    ),
    key=("source", "id"),
    on_conflict="replace",
)
_USED = columns_of("key:int hour:int lane:int events:int bytes:int")
USAGE = Table("usage", _USED, key=("key", "hour", "lane"), on_conflict="add")
DAILY = _counter("daily", "source:int day:int type:text name:text")
ACTIVE = _counter("active", "source:int day:int span:int established:int")
OUTCOMES = _counter("outcomes", "source:int kind:text day:int word:text outcome:text")
COHORTS = _counter("cohorts", "source:int cohort:int established:int")
RETENTION = _counter("retention", "source:int cohort:int established:int week:int")

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
    lines = [f"{name} {types[kind]}{'' if null else ' NOT NULL'}" for name, kind, null in table.columns]
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


def first_schema(tx: Executes) -> None:
    """Everything the first version keeps."""
    number = "INTEGER PRIMARY KEY"
    blob = "BLOB"
    if tx.dialect == "postgresql":
        number, blob = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA"
    tx.execute(f"CREATE TABLE sources (id {number}, name TEXT NOT NULL UNIQUE, created BIGINT NOT NULL)")
    tx.execute(
        f"CREATE TABLE write_keys (id {number}, source BIGINT NOT NULL REFERENCES sources (id),"
        f" hash {blob} NOT NULL UNIQUE, hint TEXT NOT NULL, created BIGINT NOT NULL, revoked BIGINT)",
    )
    tx.execute(
        "CREATE TABLE users (name TEXT PRIMARY KEY,"
        " role TEXT NOT NULL CHECK (role IN ('viewer', 'support')),"
        " password TEXT NOT NULL, created BIGINT NOT NULL)",
    )
    daily = _counter("daily", "source:int day:int type:text name:text version:text os:text")
    outcomes = _counter("outcomes", "source:int day:int version:text os:text os_version:text outcome:text")
    events = replace(EVENTS, columns=EVENTS.columns[:-1])
    for table in (events, INSTANCES, RUNS, daily, ACTIVE, outcomes, COHORTS, RETENTION):
        tx.execute(create_table(table, tx.dialect))
    tx.execute(
        f"CREATE TABLE answered (source BIGINT NOT NULL, run {blob} NOT NULL, at BIGINT NOT NULL,"
        " by_user TEXT NOT NULL, PRIMARY KEY (source, run))",
    )
    # Heartbeats are nearly all there is, and arrive in no order of instance: an index over them by
    # instance would be a random write per event. Their times are in instances.slots instead.
    tx.execute("CREATE INDEX events_by_name ON events (source, name, time)")
    tx.execute("CREATE INDEX events_by_run ON events (source, run) WHERE run IS NOT NULL")
    tx.execute(
        "CREATE INDEX events_by_who ON events (source, who, time)"
        " WHERE who IS NOT NULL AND name <> 'Instance Active'",
    )
    tx.execute("CREATE INDEX runs_asked ON runs (source, asked) WHERE asked IS NOT NULL")


def page_tables(tx: Executes) -> None:
    """What the page looks up: runs as they began, by place and by instance; and who is signed in."""
    stored, integer = ("VIRTUAL", "INTEGER") if tx.dialect == "sqlite" else ("STORED", "BIGINT")
    tx.execute(f"ALTER TABLE runs ADD COLUMN began {integer} GENERATED ALWAYS AS ({BEGAN}) {stored}")
    tx.execute(f"ALTER TABLE runs ADD COLUMN place TEXT GENERATED ALWAYS AS ({PLACE}) {stored}")
    tx.execute("CREATE INDEX runs_by_begin ON runs (source, began, outcome)")
    # All that is asked of failures lies in these two: where the database can, it reads no run's own row.
    failed = "WHERE outcome = 'errors'"
    tx.execute(f"CREATE INDEX runs_failed ON runs (source, began, place, instance, ended) {failed}")
    tx.execute(f"CREATE INDEX runs_by_place ON runs (source, place, began, ended, instance) {failed}")
    tx.execute("CREATE INDEX runs_by_instance ON runs (source, instance)")
    tx.execute("CREATE INDEX events_by_source ON events (source, seq)")
    blob = "BYTEA" if tx.dialect == "postgresql" else "BLOB"
    tx.execute(
        f"CREATE TABLE sessions (token {blob} PRIMARY KEY, user_name TEXT NOT NULL"
        " REFERENCES users (name) ON DELETE CASCADE, began BIGINT NOT NULL, used BIGINT NOT NULL)",
    )


def setup_and_admins(tx: Executes) -> None:
    """The setup link; users with the role admin, or limited to one source. Everybody signs in again."""
    blob = "BYTEA" if tx.dialect == "postgresql" else "BLOB"
    tx.execute(
        "CREATE TABLE new_users (name TEXT PRIMARY KEY,"
        " role TEXT NOT NULL CHECK (role IN ('viewer', 'support', 'admin')),"
        " password TEXT NOT NULL, created BIGINT NOT NULL, source BIGINT REFERENCES sources (id),"
        " CHECK (role <> 'admin' OR source IS NULL))",
    )
    old = "name, role, password, created"
    tx.execute(f"INSERT INTO new_users ({old}) SELECT {old} FROM users")
    tx.execute("DROP TABLE sessions")
    tx.execute("DROP TABLE users")
    tx.execute("ALTER TABLE new_users RENAME TO users")
    tx.execute(
        f"CREATE TABLE sessions (token {blob} PRIMARY KEY, user_name TEXT NOT NULL"
        " REFERENCES users (name) ON DELETE CASCADE, began BIGINT NOT NULL, used BIGINT NOT NULL)",
    )
    tx.execute(
        f"CREATE TABLE setup (secret {blob} PRIMARY KEY,"
        " kind TEXT NOT NULL CHECK (kind IN ('link', 'session')), until BIGINT NOT NULL)",
    )


def api_tokens(tx: Executes) -> None:
    """Tokens by which programs read the page."""
    blob = "BYTEA" if tx.dialect == "postgresql" else "BLOB"
    tx.execute(
        f"CREATE TABLE tokens (name TEXT PRIMARY KEY, hash {blob} NOT NULL UNIQUE,"
        " role TEXT NOT NULL CHECK (role IN ('viewer', 'support')),"
        " source BIGINT REFERENCES sources (id), created BIGINT NOT NULL)",
    )


def reject_counts(tx: Executes) -> None:
    """Events that were never taken, counted by day, code and library, with a sample of the reason."""
    tx.execute(
        "CREATE TABLE rejects (source BIGINT NOT NULL, day BIGINT NOT NULL, code TEXT NOT NULL,"
        " library TEXT NOT NULL, n BIGINT NOT NULL, message TEXT NOT NULL, last BIGINT NOT NULL,"
        " PRIMARY KEY (source, day, code, library))",
    )


def audit_log(tx: Executes) -> None:
    """Who signed in, and who changed users, keys and tokens."""
    number = "INTEGER PRIMARY KEY"
    if tx.dialect == "postgresql":
        number = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    tx.execute(
        f"CREATE TABLE audit (id {number}, at BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,"
        " subject TEXT NOT NULL, times BIGINT NOT NULL)",
    )
    tx.execute("CREATE INDEX audit_by_time ON audit (at)")


def searched_beats(tx: Executes) -> None:
    """The instance in the index of events by name: its heartbeats are found there, without reading a row."""
    tx.execute("DROP INDEX events_by_name")
    tx.execute("CREATE INDEX events_by_name ON events (source, name, time, seq, who)")


def narrow_beats(tx: Executes) -> None:
    """Heartbeats in a few bytes: their shapes, and the days that have a table of them."""
    number, integer, tail = "INTEGER PRIMARY KEY", "INTEGER", " WITHOUT ROWID"
    if tx.dialect == "postgresql":
        number, integer, tail = "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BIGINT", ""
    tx.execute(
        f"CREATE TABLE shapes (number {number}, source {integer} NOT NULL, key {integer} NOT NULL,"
        f" text TEXT NOT NULL, used {integer} NOT NULL, UNIQUE (source, key, text))",
    )
    tx.execute(
        f"CREATE TABLE beat_days (source {integer} NOT NULL, day {integer} NOT NULL,"
        f" PRIMARY KEY (source, day)){tail}",
    )


MIGRATIONS: tuple[Callable[[Executes], None], ...] = (
    first_schema,
    page_tables,
    setup_and_admins,
    api_tokens,
    reject_counts,
    audit_log,
    bounded_words,
    bounded_lists,
    key_limits,
    searched_beats,
    removal_notes,
    narrow_beats,
    counting_apart,
    old_heartbeats,
    listed_states,
    expiry_by_source,
)


def apply_migrations(tx: Executes, now: int, migrations: tuple[Callable[[Executes], None], ...]) -> None:
    """Run what was not run yet; each change and its bookkeeping are in the caller's transaction."""
    tx.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at BIGINT NOT NULL)")
    done = {name for (name,) in tx.all("SELECT name FROM migrations")}
    for migration in migrations:
        if migration.__name__ not in done:
            migration(tx)
            tx.execute("INSERT INTO migrations (name, at) VALUES (?, ?)", migration.__name__, now)

"""The migrations: each is a function that changes the schema of the version before it.

A database names those that it has seen. A new one is appended to MIGRATIONS, and never changed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from secrets import token_hex

from collector.store.alerting import alert_tables
from collector.store.apart import counting_apart, expiry_by_source, kept_censuses, old_heartbeats
from collector.store.bounds import bounded_lists, bounded_words, key_limits, listed_states, removal_notes
from collector.store.dialect import Executes
from collector.store.environments import environments
from collector.store.errors import StoreError
from collector.store.publication import public_numbers
from collector.store.reporting_views import reading_views
from collector.store.schema import (
    ACTIVE,
    BEGAN,
    COHORTS,
    EVENTS,
    INSTANCES,
    PLACE,
    RETENTION,
    RUNS,
    counter,
    create_table,
)

# As the first version keeps instances: slots are bare bits, and there are no environments.
FIRST_INSTANCES = replace(
    INSTANCES,
    columns=tuple(
        ("slots" if name == "packed_slots" else name, kind, null)
        for name, kind, null in INSTANCES.columns[:-2]
    ),
)


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
    daily = counter("daily", "source:int day:int type:text name:text version:text os:text")
    outcomes = counter("outcomes", "source:int day:int version:text os:text os_version:text outcome:text")
    events = replace(EVENTS, columns=EVENTS.columns[:-1])
    runs = replace(RUNS, columns=RUNS.columns[:-1])
    for table in (events, FIRST_INSTANCES, runs, daily, ACTIVE, outcomes, COHORTS, RETENTION):
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


def release_feeds(tx: Executes) -> None:
    """The latest release feed of each source, as it was signed, and the keys that may sign one."""
    blob = "BYTEA" if tx.dialect == "postgresql" else "BLOB"
    tx.execute(
        "CREATE TABLE release_keys (source BIGINT NOT NULL REFERENCES sources (id), key TEXT NOT NULL,"
        " added BIGINT NOT NULL, PRIMARY KEY (source, key))",
    )
    tx.execute(
        "CREATE TABLE releases (source BIGINT PRIMARY KEY REFERENCES sources (id), digest TEXT NOT NULL,"
        f" sequence BIGINT NOT NULL, feed {blob} NOT NULL, signature TEXT NOT NULL,"
        " published BIGINT NOT NULL)",
    )


def bundle_tables(tx: Executes) -> None:
    """Sealed support bundles, and the parts that they are made of."""
    blob, tail = ("BYTEA", "") if tx.dialect == "postgresql" else ("BLOB", " WITHOUT ROWID")
    tx.execute(
        f"CREATE TABLE bundles (source BIGINT NOT NULL, id {blob} NOT NULL, key BIGINT NOT NULL,"
        f" instance {blob} NOT NULL, run {blob}, size BIGINT NOT NULL, thumbprint TEXT NOT NULL,"
        " received BIGINT NOT NULL, began BIGINT NOT NULL, arrived BIGINT,"
        f" PRIMARY KEY (source, id)){tail}",
    )
    tx.execute(
        f"CREATE TABLE bundle_parts (source BIGINT NOT NULL, id {blob} NOT NULL, start BIGINT NOT NULL,"
        f" data {blob} NOT NULL, PRIMARY KEY (source, id, start))",
    )


def failures_by_version(tx: Executes) -> None:
    """Version and system in the index of failed runs, so that these are grouped without reading a row."""
    tx.execute("DROP INDEX runs_failed")
    columns = "source, began, place, version, os, os_version, instance"
    tx.execute(f"CREATE INDEX runs_failed ON runs ({columns}) WHERE outcome = 'errors'")


def member_tables(tx: Executes) -> None:
    """Members who open support bundles: accounts, sign-ins, the roster, and the support keys' links."""
    blob = "BYTEA" if tx.dialect == "postgresql" else "BLOB"
    tx.execute(
        "CREATE TABLE members (name TEXT PRIMARY KEY, public TEXT NOT NULL, auth_salt TEXT NOT NULL,"
        " srp_salt TEXT NOT NULL, verifier TEXT NOT NULL, wrapped TEXT NOT NULL,"
        " state TEXT NOT NULL CHECK (state IN ('waiting', 'member')), created BIGINT NOT NULL)",
    )
    tx.execute(
        f"CREATE TABLE member_challenges (id {blob} PRIMARY KEY, name TEXT NOT NULL, client TEXT NOT NULL,"
        " private TEXT NOT NULL, until BIGINT NOT NULL)",
    )
    tx.execute(
        f"CREATE TABLE member_sessions (token {blob} PRIMARY KEY, name TEXT NOT NULL, until BIGINT NOT NULL)",
    )
    tx.execute(
        "CREATE TABLE member_roster (revision BIGINT NOT NULL, current TEXT NOT NULL, text TEXT NOT NULL,"
        " code TEXT NOT NULL)",
    )
    tx.execute(
        "CREATE TABLE member_links (key TEXT NOT NULL, name TEXT NOT NULL, link TEXT NOT NULL,"
        " PRIMARY KEY (key, name))",
    )


def member_secret(tx: Executes) -> None:
    """A secret, with which a sign-in as nobody is answered like one as a member."""
    tx.execute("CREATE TABLE member_secret (secret TEXT NOT NULL)")
    tx.execute("INSERT INTO member_secret (secret) VALUES (?)", token_hex(32))


def claims(tx: Executes) -> None:
    """What one of several collectors does alone, which one, and until when at most."""
    tx.execute(
        "CREATE TABLE claims (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until BIGINT NOT NULL)",
    )


def packed_slots(tx: Executes) -> None:
    """From here on, slots are deflated when a row changes."""
    del tx


def renamed_slots(tx: Executes) -> None:
    """Let a collector that still runs an older version fail: it would take deflated slots for bits."""
    tx.execute("ALTER TABLE instances RENAME COLUMN slots TO packed_slots")


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
    release_feeds,
    kept_censuses,
    alert_tables,
    bundle_tables,
    reading_views,
    public_numbers,
    failures_by_version,
    member_tables,
    member_secret,
    environments,
    claims,
    packed_slots,
    renamed_slots,
)


def apply_migrations(tx: Executes, now: int, migrations: tuple[Callable[[Executes], None], ...]) -> None:
    """Run what was not run yet; each change and its bookkeeping are in the caller's transaction.

    StoreError if the database has seen a migration that is not among these.
    """
    tx.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at BIGINT NOT NULL)")
    done = [name for (name,) in tx.all("SELECT name FROM migrations ORDER BY at, name")]
    known = [migration.__name__ for migration in migrations]
    if newer := [name for name in done if name not in known]:
        raise StoreError(
            f"a newer collector has changed this database: its schema is {newer[-1]!r}, and the newest that"
            f" this collector knows is {known[-1]!r}; install the newer collector again, or restore a backup"
            " from before that upgrade"
        )
    for migration in migrations:
        if migration.__name__ not in done:
            migration(tx)
            tx.execute("INSERT INTO migrations (name, at) VALUES (?, ?)", migration.__name__, now)

"""The migrations that bound what somebody with a write key can do to the disk and the page.

Their statements are those of their day. Later changes of the schema do not change them.
"""

from __future__ import annotations

from collector.store.dialect import Executes

_MOST_WORDS = 200
_SYSTEM = "trim(os || ' ' || os_version)"
_TEXTS = {"kind", "word", "type", "name", "outcome"}
_TABLES = (
    ("words", ("source", "kind", "day", "word"), "used"),
    ("daily", ("source", "day", "type", "name"), "n"),
    ("outcomes", ("source", "kind", "day", "word", "outcome"), "n"),
)
_RUNS = {
    "version": "SELECT source, day, version AS word, outcome, n FROM old_outcomes",
    "system": f"SELECT source, day, {_SYSTEM} AS word, outcome, n FROM old_outcomes",
    "place": "SELECT source, began / 86400000 AS day, place AS word, outcome, 1 AS n FROM runs"
    " WHERE outcome = 'errors'",
}


def bounded_words(tx: Executes) -> None:
    """Count runs by version, system and place apart, each with at most 200 words a day.

    Of what was counted before, the most frequent words stay.
    """
    for table in ("daily", "outcomes"):
        tx.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    for table, key, value in _TABLES:
        number, tail = ("INTEGER", " WITHOUT ROWID") if tx.dialect == "sqlite" else ("BIGINT", "")
        columns = ", ".join(
            f"{name} {'TEXT' if name in _TEXTS else number} NOT NULL" for name in (*key, value)
        )
        tx.execute(f"CREATE TABLE {table} ({columns}, PRIMARY KEY ({', '.join(key)})){tail}")
    _admit(tx, "name", "SELECT source, day, name AS word, n FROM old_daily")
    tx.execute(
        "INSERT INTO daily (source, day, type, name, n)"
        " SELECT o.source, o.day, o.type, coalesce(w.word, '(other)'), SUM(o.n)"
        " FROM old_daily o LEFT JOIN words w"
        " ON w.source = o.source AND w.kind = 'name' AND w.day = o.day AND w.word = o.name"
        " GROUP BY 1, 2, 3, 4",
    )
    tx.execute(
        "INSERT INTO outcomes (source, kind, day, word, outcome, n)"
        " SELECT source, 'all', day, '', outcome, SUM(n) FROM old_outcomes GROUP BY source, day, outcome",
    )
    for kind, rows in _RUNS.items():
        _admit(tx, kind, rows)
        tx.execute(
            "INSERT INTO outcomes (source, kind, day, word, outcome, n)"
            f" SELECT c.source, '{kind}', c.day, coalesce(w.word, '(other)'), c.outcome, SUM(c.n)"
            f" FROM ({rows}) AS c LEFT JOIN words w ON w.source = c.source AND w.kind = '{kind}'"
            " AND w.day = c.day AND w.word = c.word GROUP BY 1, 2, 3, 4, 5",
        )
    for table in ("daily", "outcomes"):
        tx.execute(f"DROP TABLE old_{table}")


def _admit(tx: Executes, kind: str, rows: str) -> None:
    """Give places to the most frequent words of each day."""
    tx.execute(
        "INSERT INTO words (source, kind, day, word, used)"
        f" SELECT source, '{kind}', day, word, 1 FROM (SELECT source, day, word,"
        " ROW_NUMBER() OVER (PARTITION BY source, day ORDER BY SUM(n) DESC, word) AS place"
        f" FROM ({rows}) AS c WHERE word <> '(other)' GROUP BY source, day, word) AS ranked"
        f" WHERE place <= {_MOST_WORDS}",
    )


def bounded_lists(tx: Executes) -> None:
    """Indexes that let the page read a list from its end, however long it is."""
    tx.execute("CREATE INDEX instances_by_seen ON instances (source, last_seen, id, first_seen, last_beat)")
    tx.execute("DROP INDEX events_by_run")
    tx.execute("CREATE INDEX events_by_run ON events (source, run, time, seq) WHERE run IS NOT NULL")
    tx.execute("DROP INDEX runs_by_instance")
    tx.execute("CREATE INDEX runs_by_instance ON runs (source, instance, coalesce(started, ended, asked))")
    tx.execute(
        "CREATE INDEX runs_open ON runs (source, began, version, os, os_version) WHERE outcome IS NULL",
    )


def listed_states(tx: Executes) -> None:
    """Indexes of the few instances that a list would otherwise look for among all others."""
    for index, part in (
        ("instances_never", "last_beat IS NULL"),
        ("instances_brief", "last_seen - first_seen <= 86400000"),
        ("instances_seen_since", "last_seen > last_beat"),
    ):
        columns = "source, last_seen, id, first_seen, last_beat"
        tx.execute(f"CREATE INDEX {index} ON instances ({columns}) WHERE {part}")


def key_limits(tx: Executes) -> None:
    """Limits of a key, what each key has added, and the key that an event came with."""
    integer = "INTEGER" if tx.dialect == "sqlite" else "BIGINT"
    tail = " WITHOUT ROWID" if tx.dialect == "sqlite" else ""
    real = "REAL" if tx.dialect == "sqlite" else "DOUBLE PRECISION"
    tx.execute(f"ALTER TABLE write_keys ADD COLUMN rate {real}")
    tx.execute(f"ALTER TABLE write_keys ADD COLUMN daily {integer}")
    tx.execute(f"ALTER TABLE events ADD COLUMN key {integer}")
    columns = ", ".join(f"{name} {integer} NOT NULL" for name in ("key", "hour", "events", "bytes"))
    tx.execute(f"CREATE TABLE usage ({columns}, PRIMARY KEY (key, hour)){tail}")


def removal_notes(tx: Executes) -> None:
    """The instances and runs that are still to be made anew, because events of theirs were deleted."""
    integer, blob = ("INTEGER", "BLOB") if tx.dialect == "sqlite" else ("BIGINT", "BYTEA")
    tail = " WITHOUT ROWID" if tx.dialect == "sqlite" else ""
    tx.execute(
        f"CREATE TABLE removals (source {integer} NOT NULL, kind TEXT NOT NULL, id {blob} NOT NULL,"
        f" beats {integer} NOT NULL, PRIMARY KEY (kind, source, id)){tail}",
    )

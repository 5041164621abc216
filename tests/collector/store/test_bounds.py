"""A database from before words were bounded counts as before, and bounds what is too much."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from collector.base.events import STARTED, Event, Fact
from collector.base.times import DAY_MS
from collector.store import migrations, open_database
from collector.store.bounds import bounded_words
from collector.store.database import Database
from collector.store.sql.store import SqlEventStore
from collector.store.words import MOST_WORDS, OTHER
from tests.collector.store.test_rollups import NOW, counted

DAY = NOW // DAY_MS


@pytest.fixture
def old(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A store as it was."""
    before = migrations.MIGRATIONS.index(bounded_words)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:before])
        made = open_database(database)
    yield made
    made.close()


def insert(tables: Database, table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" * len(rows[0]))
    with tables.transaction() as tx:
        for row in rows:
            tx.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", *row)


def test_old_counters_are_carried_over_and_the_rarest_words_are_counted_together(
    old: Database, database: str
) -> None:
    many = MOST_WORDS + 10
    insert(
        old,
        "daily",
        "source, day, type, name, version, os, n",
        [
            (1, DAY, "track", STARTED, "1.0", "debian", 3),
            (1, DAY, "track", STARTED, "2.0", "", 4),
            *((1, DAY, "page", f"p{n:03}", "", "", 1) for n in range(many)),
        ],
    )
    insert(
        old,
        "outcomes",
        "source, day, version, os, os_version, outcome, n",
        [
            (1, DAY - 1, "1.0", "debian", "12", "success", 5),
            (1, DAY - 1, "1.0", "debian", "13", "errors", 2),
            *((1, DAY, f"v{n:03}", "arch", "", "open", 1) for n in range(many)),
        ],
    )
    runs = [
        (1, bytes([n]) * 16, b"i" * 16, "", "", "", (DAY - 1) * DAY_MS + n, "errors", 2, "curl", 6)
        for n in range(2)
    ]
    insert(
        old,
        "runs",
        "source, id, instance, version, os, os_version, ended, outcome, line, command, exit_code",
        runs,
    )
    old.close()
    tables = open_database(database)
    found = counted(tables)
    assert found["daily"][1, DAY, "track", STARTED] == 7
    assert found["daily"][1, DAY, "page", OTHER] == 11
    assert sum(found["daily"].values()) == 7 + many
    outcomes = found["outcomes"]
    assert outcomes[1, "all", DAY - 1, "", "success"] == 5
    assert outcomes[1, "version", DAY - 1, "1.0", "errors"] == 2
    assert outcomes[1, "system", DAY - 1, "debian 13", "errors"] == 2
    assert outcomes[1, "place", DAY - 1, "\x1f2\x1fcurl\x1f6", "errors"] == 2
    assert outcomes[1, "version", DAY, OTHER, "open"] == 10
    assert outcomes[1, "system", DAY, "arch", "open"] == many
    SqlEventStore(tables).keep([started(99)])
    assert counted(tables)["outcomes"][1, "version", DAY, OTHER, "open"] == 11
    tables.close()


def started(number: int) -> Event:
    key = number.to_bytes(16, "big")
    return Event(1, key, NOW, NOW, "track", STARTED, key, key, "{}", None, Fact(version="new", os="arch"))

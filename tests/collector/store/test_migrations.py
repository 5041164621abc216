"""Migrations of the schema."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from collector.base.environments import ALL
from collector.store import StoreError, StoreUnavailable, connections, migrations, open_database, open_stores
from collector.store.database import Database
from collector.store.dialect import Executes
from collector.store.migrations import MIGRATIONS, apply_migrations
from collector.store.schema import INSTANCES
from tests.collector.cluster import Cluster
from tests.collector.running import Collector
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import made_history
from tests.collector.store.old import leave_old_database


def test_a_migration_and_its_bookkeeping_are_one_transaction(tables: Database) -> None:
    def broken(tx: Executes) -> None:
        tx.execute("CREATE TABLE half_made (id INTEGER)")
        raise RuntimeError

    with pytest.raises(RuntimeError), tables.transaction() as tx:
        apply_migrations(tx, 0, (*MIGRATIONS, broken))
    assert {name for (name,) in tables.all("SELECT name FROM migrations")} == {
        made.__name__ for made in MIGRATIONS
    }
    with tables.transaction() as tx:
        tx.execute("CREATE TABLE half_made (id INTEGER)")


@pytest.mark.needs("postgresql")
def test_a_migration_may_take_longer_than_a_request(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(tx: Executes) -> None:
        tx.execute("SELECT pg_sleep(3)")

    database = cluster.database()
    monkeypatch.setattr(connections, "STATEMENT_MS", 2500)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, slow))
    tables = open_database(database)
    assert ("slow",) in tables.all("SELECT name FROM migrations")
    with pytest.raises(StoreUnavailable):
        tables.all("SELECT pg_sleep(60)")
    tables.close()


def test_a_database_of_a_newer_collector_is_refused_and_stays_as_it_is(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def newer(tx: Executes) -> None:
        tx.execute("CREATE TABLE from_the_future (id INTEGER)")

    known = MIGRATIONS[-1].__name__
    with monkeypatch.context() as later:
        later.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, newer))
        open_database(database).close()
    older = Collector(tmp_path, database)
    for verb in (("serve", "--listen", "127.0.0.1:0"), ("keys", "add", "s")):
        said = older.verb(*verb, code=1).stderr
        assert said.count("\n") == 1
        assert "'newer'" in said
        assert f"'{known}'" in said
        assert "install the newer collector again" in said
    with monkeypatch.context() as later:
        later.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, newer))
        with closing(open_database(database)) as opened:
            assert opened.all("SELECT count(*) FROM sources") == [(0,)]
            assert opened.all("SELECT count(*) FROM from_the_future") == [(0,)]


def test_an_older_collector_that_still_runs_cannot_take_deflated_slots_for_bits(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [made.__name__ for made in MIGRATIONS]
    columns = tuple((name.removeprefix("packed_"), kind, null) for name, kind, null in INSTANCES.columns)
    was = replace(INSTANCES, columns=columns)
    with monkeypatch.context() as earlier:
        earlier.setattr(migrations, "MIGRATIONS", MIGRATIONS[: names.index("packed_slots")])
        older = open_database(database)
    with closing(older):
        row = (1, b"i" * 16, 0, 0, None, 0, 0, b"\1", None, "", "", "", 0, None)
        with older.transaction() as tx:
            tx.upsert(was, [row])
            assert tx.fetch(was, [row[:2]]) == [row]
        with closing(open_database(database)) as newer, newer.transaction() as tx:
            assert tx.fetch(INSTANCES, [row[:2]]) == [row]
        with pytest.raises(StoreError, match="slots"), older.transaction() as tx:
            tx.fetch(was, [row[:2]])
        with pytest.raises(StoreError, match="slots"), older.transaction() as tx:
            tx.upsert(was, [row])


def test_a_database_opens_again_with_its_schema_as_it_is(database: str) -> None:
    for _ in range(2):
        opened = open_database(database)
        assert opened.all("SELECT count(*) FROM migrations") == [(len(MIGRATIONS),)]
        opened.close()


def test_what_was_counted_before_environments_is_production(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = made_history(0)
    leave_old_database(database, history, monkeypatch)
    with closing(open_stores(database)) as stores:
        production = told_by(stores.events)
        assert told_by(stores.events.within(ALL)) == production == said_by(history)
        assert stores.events.recount(lambda _: None) == 0


@pytest.mark.once
@pytest.mark.needs("postgresql")
def test_a_migration_leaves_the_rights_to_the_views(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, names = cluster.database(), [made.__name__ for made in MIGRATIONS]
    before = MIGRATIONS[: names.index("environments")]
    with monkeypatch.context() as earlier:
        earlier.setattr(migrations, "MIGRATIONS", before)
        with closing(open_database(database)) as old, old.transaction() as tx:
            tx.execute("GRANT SELECT ON rollcall_installs, rollcall_active_by_day TO PUBLIC")
    with closing(open_database(database)) as renewed:
        for view, granted in (("installs", True), ("active_by_day", True), ("instances", False)):
            sql = f"SELECT has_table_privilege('public', 'rollcall_{view}', 'SELECT')"
            assert renewed.all(sql) == [(granted,)]

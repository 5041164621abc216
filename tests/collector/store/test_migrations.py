"""Migrations of the schema."""

from __future__ import annotations

import pytest

from collector.store import Store, StoreUnavailable, open_store, postgres, schema
from collector.store.dialect import Executes
from collector.store.schema import MIGRATIONS, apply_migrations
from tests.collector.cluster import Cluster


def test_a_migration_and_its_bookkeeping_are_one_transaction(store: Store) -> None:
    def broken(tx: Executes) -> None:
        tx.execute("CREATE TABLE half_made (id INTEGER)")
        raise RuntimeError

    with pytest.raises(RuntimeError), store.transaction() as tx:
        apply_migrations(tx, 0, (*MIGRATIONS, broken))
    assert {name for (name,) in store.all("SELECT name FROM migrations")} == {
        made.__name__ for made in MIGRATIONS
    }
    with store.transaction() as tx:
        tx.execute("CREATE TABLE half_made (id INTEGER)")


@pytest.mark.needs("postgresql")
def test_a_migration_may_take_longer_than_a_request(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(tx: Executes) -> None:
        tx.execute("SELECT pg_sleep(0.5)")

    database = cluster.database()
    monkeypatch.setattr(postgres, "STATEMENT_MS", 200)
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, slow))
    store = open_store(database)
    assert ("slow",) in store.all("SELECT name FROM migrations")
    with pytest.raises(StoreUnavailable):
        store.all("SELECT pg_sleep(0.5)")
    store.close()


def test_a_database_opens_again_with_its_schema_as_it_is(database: str) -> None:
    for _ in range(2):
        opened = open_store(database)
        assert opened.all("SELECT count(*) FROM migrations") == [(len(MIGRATIONS),)]
        opened.close()

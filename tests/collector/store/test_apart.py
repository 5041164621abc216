"""Each store needs its own tables alone, so the two may be in two databases."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.admin import keys
from collector.admin.transfer import Rejects, export_events, import_events
from collector.base.ids import key_of
from collector.ingest import decode
from collector.page.frame import NAVIGATION
from collector.store import ControlStore, StoreError, Stores, open_database, open_stores
from collector.store.database import Database
from collector.store.deletion import expire_events, forget_instance, remove_events
from collector.store.sql.store import SqlEventStore
from collector.store.values import Cutoffs, Expired
from tests.collector.page.client import NOW, PageClient
from tests.collector.page.stories import INSTANCE, RUN, event, failed_run

CONTROL = (
    *("sessions", "users", "tokens", "write_keys", "sources", "answered"),
    *("rejects", "audit", "setup", "releases", "release_keys"),
    *("alerts", "alert_messages", "alert_limits", "bundles", "bundle_parts"),
    *("public_sources", "public_weeks", "public_cells"),
    *(
        "members",
        "member_challenges",
        "member_sessions",
        "member_roster",
        "member_links",
        "member_secret",
        "claims",
    ),
)
EVENTS = (
    *("events", "shapes", "beat_days", "pending", "instances", "runs"),
    *("usage", "words", "removals", "marks", "expired", "censuses"),
    *("daily", "active", "outcomes", "cohorts", "retention"),
)


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Stores]:
    """Two databases, each without the tables of the other store."""
    control, events = (open_database(f"sqlite:///{tmp_path}/{name}.db") for name in ("control", "events"))
    drop(control, EVENTS)
    drop(events, CONTROL)
    with closing(Stores(ControlStore(control), SqlEventStore(events))) as stores:
        yield stores


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[Stores]:
    """As after a move of the events: the first database still has its own, and all that is not events."""
    first, second = (open_database(f"sqlite:///{tmp_path}/{name}.db") for name in ("first", "second"))
    with closing(Stores(ControlStore(first), SqlEventStore(second), SqlEventStore(first))) as stores:
        yield stores


def drop(database: Database, tables: tuple[str, ...]) -> None:
    with database.transaction() as tx:
        for table in tables:
            tx.execute(f"DROP TABLE {table}")


def quiet(_: int) -> None:
    """No progress."""


def test_every_table_belongs_to_one_of_the_stores(tables: Database) -> None:
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    if tables.dialect == "postgresql":
        sql = (
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
    assert sorted(name for (name,) in tables.all(sql)) == sorted(["migrations", *CONTROL, *EVENTS])


def test_the_page_shows_everything_from_two_databases(apart: Stores) -> None:
    keys.add_key(apart.control, "product", NOW)
    sent = [*failed_run(), event("Instance Active"), event("deploy")]
    apart.events.keep(decode.read_event(one, "track", 1, NOW, key=1) for one in sent)
    client = PageClient(apart)
    views = [path for path, _ in NAVIGATION]
    for view in [*views, f"/run/{RUN}", f"/instance/{INSTANCE}", "/events?event=deploy"]:
        assert client.get(view).status == 200, view
    shown = client.get("/support")
    form = {"token": shown.token, "run": RUN, "answered": "yes"}
    assert client.post("/support", form).status == 303
    assert client.get("/support.json").json()["waiting"] == 0
    (status,) = keys.list_keys(apart, NOW)
    assert status.events == len(sent)


def test_import_export_and_deletions_work_in_two_databases(apart: Stores) -> None:
    source, _ = keys.make_source(apart.control, "product", NOW)
    assert keys.drop_unused_source(apart, source)
    source, _ = keys.make_source(apart.control, "product", NOW)
    told = [decode.read_event(one, "track", source, NOW).body for one in failed_run()]
    lines = io.BytesIO("\n".join(told).encode())
    assert import_events(apart.events, lambda _: source, lines, NOW, quiet, Rejects(print)) == (3, 3)
    assert not keys.drop_unused_source(apart, source)
    out = io.BytesIO()
    assert export_events(apart, out, quiet) == 3
    assert forget_instance(apart, source, key_of(INSTANCE)).events == 3
    assert remove_events(apart, 1, 0, NOW, quiet) == 0
    assert expire_events(apart, Cutoffs.all_at(NOW), NOW, quiet) == Expired()


@pytest.mark.parametrize(
    "delete",
    [
        lambda stores, source: forget_instance(stores, source, key_of(INSTANCE)),
        lambda stores, _: expire_events(stores, Cutoffs.all_at(NOW + 1), NOW, quiet),
    ],
    ids=["forget", "expire"],
)
def test_a_deletion_reaches_the_events_that_a_move_has_left(
    moved: Stores, delete: Callable[[Stores, int], object]
) -> None:
    source, _ = keys.make_source(moved.control, "product", NOW)
    assert moved.left is not None
    for store in (moved.left, moved.events):
        assert store.keep(decode.read_event(one, "track", source, NOW) for one in failed_run()) == 3
    delete(moved, source)
    for store in (moved.left, moved.events):
        assert store.find_run(source, key_of(RUN)) is None
        assert [body for piece in store.export() for body in piece] == []


def test_the_receipt_is_of_the_events_that_were_never_moved_if_there_are_no_others(moved: Stores) -> None:
    source, _ = keys.make_source(moved.control, "product", NOW)
    assert moved.left is not None
    moved.left.keep(decode.read_event(one, "track", source, NOW) for one in failed_run())
    assert forget_instance(moved, source, key_of(INSTANCE)).events == 3
    assert forget_instance(moved, source, key_of(INSTANCE)).events == 0


def test_where_events_are_elsewhere_those_of_the_database_are_opened_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{tmp_path}/collector.db"
    with closing(open_stores(database)) as stores:
        assert stores.left is None
    monkeypatch.setattr(
        "collector.store.clickhouse.store.ClickHouseEventStore",
        lambda *_: SqlEventStore(open_database(f"sqlite:///{tmp_path}/events.db")),
    )
    with closing(open_stores(database, "clickhouse://rollcall@127.0.0.1/rollcall")) as stores:
        assert isinstance(stores.left, SqlEventStore)
        assert stores.left._database is stores.control._database


def test_a_store_whose_tables_are_gone_is_noticed(apart: Stores) -> None:
    """Or the tests above would show nothing."""
    with pytest.raises(StoreError, match="no such table"):
        apart.control.all("SELECT 1 FROM events")
    with pytest.raises(StoreError, match="no such table"):
        Stores(apart.control, SqlEventStore(apart.control._database)).events.census(1, NOW)

"""The views that other programs read in PostgreSQL are as the docs say, and right."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from collector.admin import demo, keys
from collector.admin.transfer import add_in_chunks
from collector.base.environments import ALL, ENVIRONMENTS
from collector.base.events import SUPPORT, Event
from collector.base.times import DAY_MS
from collector.store import Stores, open_stores
from collector.store.runs import NO_RUN, RunCounts
from collector.store.spans import SPANS
from tests.collector.cluster import Cluster

DOCS = Path(__file__).parents[3] / "docs" / "collector.md"
ROW = re.compile(r"^\| `(rollcall_\w+)` \| ([^|]+) \|", re.MULTILINE)
NOW = int(time.time() * 1000)
TODAY = NOW // DAY_MS

pytestmark = [pytest.mark.once, pytest.mark.needs("postgresql")]


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> str:
    return cluster.database()


@pytest.fixture(scope="module")
def filled(url: str) -> Iterator[Stores]:
    stores = open_stores(url)
    keys.add_key(stores.control, "demo", 0)
    noise = (_in_ci(one) for one in demo.demo_events(4, 2, NOW, 1) if one.name != SUPPORT)
    add_in_chunks(stores.events, noise, lambda _: None)
    add_in_chunks(stores.events, demo.demo_events(20, 1, NOW, 1), lambda _: None)
    while stores.events.fold():
        pass
    yield stores
    stores.close()


def _in_ci(event: Event) -> Event:
    """The same event, if it is of an install, as a CI would send it."""
    if event.fact is None or event.run is None:
        return event
    return event._replace(fact=event.fact._replace(environment=ENVIRONMENTS.index("ci")))


@pytest.fixture
def reader(filled: Stores, url: str) -> Iterator[psycopg.Connection]:
    """A user who may read the views and nothing else, as the docs say."""
    text = DOCS.read_text()
    begin = text.index("GRANT SELECT ON rollcall_instances")
    with psycopg.connect(url) as connection:
        connection.execute("DROP OWNED BY bi" if _has_role(connection) else "CREATE ROLE bi")
        connection.execute(text[begin : text.index(";", begin)].encode())
        connection.commit()
        connection.execute("SET ROLE bi")
        connection.commit()
        yield connection


def _has_role(connection: psycopg.Connection) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'bi'").fetchone() is not None


def test_each_view_has_the_columns_that_the_docs_say(filled: Stores) -> None:
    sql = (
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_name LIKE 'rollcall_%' ORDER BY table_name, ordinal_position"
    )
    found: dict[str, list[str]] = {}
    for view, column in filled.control.all(sql):
        found.setdefault(view, []).append(column)
    section = DOCS.read_text().partition("### Views for other programs")[2].partition("\n### ")[0]
    assert found == {view: re.findall(r"`(\w+)`", columns) for view, columns in ROW.findall(section)}


def test_a_reader_sees_the_views_and_no_table(reader: psycopg.Connection) -> None:
    (installs,) = reader.execute("SELECT COUNT(*) FROM rollcall_installs").fetchone() or (0,)
    assert installs
    for table in ("runs", "events", "instances", "users", "sources"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"SELECT 1 FROM {table}".encode())
        reader.rollback()
    rows = reader.execute(
        "SELECT t::text FROM rollcall_installs t WHERE asked_for_help IS NOT NULL"
    ).fetchall()
    assert rows
    assert "@" not in str(rows)


def test_the_numbers_are_those_of_the_store(filled: Stores, reader: psycopg.Connection) -> None:
    events = filled.events
    counts = RunCounts()
    for one in events.run_counts_by_day(1, TODAY - 400, TODAY, NOW).values():
        counts.merge(one)
    by_outcome: dict[str, int] = dict(
        reader.execute("SELECT outcome, COUNT(*) FROM rollcall_installs GROUP BY 1").fetchall()
    )
    assert by_outcome.get("succeeded", 0) == counts.succeeded > 0
    assert by_outcome.get("failed", 0) == counts.failed > 0
    assert by_outcome.get("given up", 0) == counts.given_up
    by_version = reader.execute(
        "SELECT version, SUM(installs)::int FROM rollcall_installs_by_day WHERE outcome = 'failed' GROUP BY 1"
    ).fetchall()
    listed = events.run_counts_by_word(1, "version", TODAY - 400, TODAY, NOW)
    assert dict(by_version) == {word: one.failed for word, one in listed if one.failed}
    for span in SPANS:
        expected = events.active_by_day(1, span, TODAY - 9, TODAY - 9)[TODAY - 9][1]
        (shown,) = reader.execute(
            "SELECT instances FROM rollcall_active_by_day WHERE established AND days = %s AND day <= %s"
            " ORDER BY day DESC LIMIT 1",
            (span, time.strftime("%Y-%m-%d", time.gmtime((TODAY - 9) * DAY_MS / 1000))),
        ).fetchone() or (0,)
        assert shown == expected > 0
    names = Counter(dict(events.count_by_name(1, TODAY - 400, TODAY, 200)))
    told = reader.execute("SELECT event, SUM(events)::int FROM rollcall_events_by_day GROUP BY 1").fetchall()
    assert Counter(dict(told)) == names
    asked = len(events.asked_runs(1, NO_RUN, 1000))
    (help_rows,) = reader.execute(
        "SELECT COUNT(*) FROM rollcall_installs WHERE asked_for_help IS NOT NULL"
    ).fetchone() or (0,)
    assert help_rows == asked > 0
    (instances,) = reader.execute("SELECT COUNT(*) FROM rollcall_instances").fetchone() or (0,)
    everywhere = sum(events.within(ALL).census(1, NOW).states.values())
    assert instances == sum(events.census(1, NOW).states.values()) < everywhere


def test_an_instance_has_its_times_and_its_id(filled: Stores, reader: psycopg.Connection) -> None:
    row = reader.execute(
        "SELECT instance, extract(epoch FROM last_seen) * 1000, established, version FROM rollcall_instances"
        " WHERE source = 'demo' LIMIT 1"
    ).fetchone()
    assert row
    found = filled.events.find_instance(1, row[0].bytes)
    assert found
    assert (found.last_seen, found.established, found.version) == (int(row[1]), row[2], row[3])

"""The pool of connections to PostgreSQL, with and without PgBouncer between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from collector.store import StoreError, StoreUnavailable, connections, open_database, schema
from collector.store.connections import CONNECT_SECONDS, MOST
from collector.store.database import Database
from collector.store.retries import with_retries
from tests.collector.bouncer import SERVERS, Bouncer
from tests.collector.cluster import Cluster
from tests.deadends import unused_port
from tests.wait import PATIENCE, until

pytestmark = pytest.mark.needs("postgresql")
DIRECT = pytest.param(False, id="direct")
BOUNCED = pytest.param(True, id="pgbouncer", marks=pytest.mark.needs("pgbouncer"))


@pytest.fixture
def url(request: pytest.FixtureRequest, cluster: Cluster) -> str:
    made = cluster.database()
    return request.getfixturevalue("bouncer").behind(made) if request.param else made


@pytest.fixture
def opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.close()


def ask_for_itself(database: Database) -> int:
    """The number of the server process that answers while many ask."""
    return int(database.all("SELECT pg_backend_pid() FROM pg_sleep(0.05)")[0][0])


@pytest.mark.parametrize("url", [DIRECT], indirect=True)
def test_threads_share_a_bounded_number_of_connections(opened: Database) -> None:
    with ThreadPoolExecutor(3 * MOST) as threads:
        answered = list(threads.map(ask_for_itself, [opened] * 6 * MOST))
    assert 1 < len(set(answered)) <= MOST


@pytest.mark.parametrize("url", [DIRECT], indirect=True)
def test_threads_wait_for_each_other_where_the_server_allows_few_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE frugal LOGIN CONNECTION LIMIT 2")
        connection.execute(f'ALTER DATABASE "{connection.info.dbname}" OWNER TO frugal')
    database = open_database(url.replace("postgres@", "frugal@"))
    with ThreadPoolExecutor(MOST) as threads:
        answered = list(threads.map(ask_for_itself, [database] * 5 * MOST))
    assert len(set(answered)) == 2
    database.close()


@pytest.mark.parametrize("url", [DIRECT, BOUNCED], indirect=True)
def test_a_statement_has_a_time_limit_in_every_transaction(
    opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened.all("SELECT current_setting('statement_timeout')") == [("30s",)]
    monkeypatch.setattr(connections, "STATEMENT_MS", 100)
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        opened.all("SELECT pg_sleep(5)")
    with pytest.raises(StoreUnavailable, match="statement timeout"), opened.transaction() as tx:
        tx.all("SELECT pg_sleep(5)")
    monkeypatch.undo()
    assert opened.all("SELECT 1") == [(1,)]


COUNT = (1, 1, "track", "x", 1)


def count_without_column(database: Database, *, ask: bool) -> None:
    with database.transaction() as tx:
        tx.execute("DELETE FROM sources")
        tx.execute("ALTER TABLE daily RENAME COLUMN n TO other")
        tx.upsert(schema.DAILY, [COUNT])  # nobody waits for its result
        if ask:
            tx.all("SELECT 1")


@pytest.mark.parametrize("url", [DIRECT, BOUNCED], indirect=True)
def test_what_fails_in_the_pipeline_is_told_as_itself_and_undoes_all(opened: Database) -> None:
    with opened.transaction() as tx:
        assert tx.execute("INSERT INTO sources (name, created) VALUES (?, 1), (?, 1)", "a", "b") == 2
        tx.upsert(schema.DAILY, [COUNT])
    for ask in (False, True):
        with pytest.raises(StoreError, match='column "n" of relation "daily" does not exist') as told:
            count_without_column(opened, ask=ask)
        assert not isinstance(told.value, StoreUnavailable)
    assert opened.all("SELECT count(*) FROM sources") == [(2,)]
    assert opened.all("SELECT n FROM daily") == [(1,)]


@pytest.mark.parametrize("url", [DIRECT], indirect=True)
def test_statements_are_prepared_where_no_pooler_stands_between(opened: Database) -> None:
    """What is kept behind a pooler is in the next test: nothing."""
    for _ in range(10):
        opened.all("SELECT 1 WHERE 1 = ?", 1)
    assert opened.all("SELECT count(*) > 0 FROM pg_prepared_statements") == [(True,)]


@pytest.mark.parametrize("url", [BOUNCED], indirect=True)
def test_a_connection_keeps_nothing_for_the_next_transaction(opened: Database, url: str) -> None:
    def use(number: int) -> int:
        with opened.transaction() as tx:
            tx.all("SELECT pg_advisory_xact_lock(?)", number % 2)
            tx.execute("INSERT INTO kept (number) VALUES (?)", number)
        assert (number,) in opened.all("SELECT number FROM kept WHERE number = ?", number)
        return ask_for_itself(opened)

    with opened.transaction() as tx:
        tx.execute("CREATE TABLE kept (number BIGINT)")
    with ThreadPoolExecutor(2 * SERVERS) as threads:
        served = list(threads.map(use, range(40)))
    # More than there are at once, if one was idle for so long that PgBouncer let it go.
    assert SERVERS <= len(set(served)) < len(served)
    left_behind = (
        "SELECT (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_locks"
        " JOIN pg_database ON oid = database WHERE locktype = 'advisory' AND datname = current_database()),"
        " current_setting('statement_timeout')"
    )
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as meter:
        for _ in range(2 * SERVERS):
            assert meter.execute(left_behind).fetchone() == (0, 0, "0")

        def shows() -> bool:  # also where PgBouncer lets go of a connection meanwhile, which was idle
            meter.execute("SET statement_timeout = '77s'; SELECT pg_try_advisory_lock(1)")
            seen = {meter.execute(left_behind).fetchone() for _ in range(2 * SERVERS)}
            return (0, 1, "77s") in seen

        until(shows, why="where something is left behind, this shows it")


@pytest.mark.parametrize("url", [BOUNCED], indirect=True)
def test_pgbouncer_refuses_what_the_collector_does_without(opened: Database, url: str) -> None:
    """Or the tests here would show nothing."""
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter: options"):
        psycopg.connect(url, options="-c statement_timeout=1000")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        repeat_prepared(url, opened)


def repeat_prepared(url: str, opened: Database) -> None:
    """Repeat a prepared statement, while others make its server connection change, until that is an error."""
    with (
        psycopg.connect(url, autocommit=True, prepare_threshold=0) as other,
        ThreadPoolExecutor(SERVERS) as threads,
    ):

        def again() -> None:
            others = [threads.submit(ask_for_itself, opened) for _ in range(SERVERS)]
            other.execute("SELECT 1 WHERE 1 = %s", [1])
            wait(others)

        until(again)


def test_a_database_that_is_not_there_is_told_at_once_and_why() -> None:
    began = time.monotonic()
    with pytest.raises(StoreError, match="Connection refused"):
        open_database(f"postgresql://postgres@127.0.0.1:{unused_port()}/x")
    assert time.monotonic() - began < CONNECT_SECONDS


@pytest.mark.parametrize("url", [DIRECT, BOUNCED], indirect=True)
def test_a_database_without_an_encoding_keeps_any_text(url: str, cluster: Cluster) -> None:
    name = "Żółw – 亀"
    plain = url.replace(urlsplit(url).path, urlsplit(cluster.database("SQL_ASCII")).path)
    for known in ([], [name]):  # the second one finds the schema that the first one has made
        with closing(open_database(plain)) as database:
            assert sources(database) == known
            add_source(database, f"{name}{len(known) or ''}")
            assert sources(database)[-1].startswith(name)
            assert database.all("SELECT octet_length(name) FROM sources") != [(len(name),)]


def test_a_database_whose_encoding_cannot_hold_every_character_is_refused(cluster: Cluster) -> None:
    with pytest.raises(StoreError, match=r"encoding is LATIN1.*ENCODING 'UTF8'"):
        open_database(cluster.database("LATIN1"))


def test_all_connections_are_made_again_when_the_server_was_away() -> None:
    own = Cluster()
    try:
        own.start()
        database = open_database(own.database())
        with ThreadPoolExecutor(MOST) as threads:
            assert len(set(threads.map(ask_for_itself, [database] * 3 * MOST))) > 1
            own.stop()
            own.start()
            with database.transaction() as tx:  # on none of the old connections, and nothing repeats it
                tx.execute("INSERT INTO sources (name, created) VALUES ('new', 1)")
            list(threads.map(ask_for_itself, [database] * 3 * MOST))
        own.stop()
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                database.all("SELECT 1")
        own.start()
        until(lambda: answers(database))
        database.close()
    finally:
        own.remove()


@with_retries
def add_source(database: Database, name: str, meanwhile: Callable[[int], None] = lambda _: None) -> None:
    with database.transaction() as tx:
        meanwhile(tx.all("SELECT pg_backend_pid()")[0][0])
        tx.execute("INSERT INTO sources (name, created) VALUES (?, 1)", name)


def sources(database: Database) -> list[str]:
    return [name for (name,) in database.all("SELECT name FROM sources ORDER BY id")]


@pytest.mark.parametrize("url", [DIRECT], indirect=True)
def test_a_change_whose_connection_was_lost_before_its_commit_is_made_again(
    opened: Database, url: str
) -> None:
    ended: list[int] = []

    def end_once(process: int) -> None:
        if not ended:
            ended.append(process)
            with psycopg.connect(url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, %s)", [process, int(PATIENCE * 1000)])

    add_source(opened, "once", end_once)
    assert (len(ended), sources(opened)) == (1, ["once"])


@pytest.mark.parametrize("url", [DIRECT], indirect=True)
def test_a_change_whose_connection_was_lost_in_its_commit_is_not(opened: Database) -> None:
    """The server may have committed it, and nobody knows."""
    calls: list[int] = []
    with opened.transaction() as tx:
        tx.execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'"
        )
        tx.execute(
            "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON sources DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION die()"
        )
    with pytest.raises(StoreUnavailable, match="not known whether it was committed"):
        add_source(opened, "unknown", calls.append)
    assert len(calls) == 1
    assert sources(opened) == []  # by the next connection


@pytest.mark.parametrize("url", [DIRECT], indirect=True)
def test_a_server_that_takes_no_more_changes_is_left_for_one_that_does(opened: Database) -> None:
    # As a server that is a standby now, behind a proxy.
    opened.all("SELECT set_config('default_transaction_read_only', 'on', false)")
    assert opened.all("SHOW transaction_read_only") == [("on",)]
    add_source(opened, "elsewhere")
    assert sources(opened) == ["elsewhere"]


@pytest.mark.once
def test_of_several_hosts_the_one_is_taken_that_takes_changes(cluster: Cluster) -> None:
    standby, name = Cluster(), "highly_available"
    try:
        with Path(standby.data, "postgresql.conf").open("a") as conf:
            conf.write("default_transaction_read_only = on\n")
        standby.start()
        for server in (cluster, standby):
            url = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
            with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as one:
                one.execute(f"CREATE DATABASE {name}")
        hosts = [f"127.0.0.1:{port}" for port in (unused_port(), standby.port, cluster.port)]
        with closing(open_database(f"postgresql://postgres@{','.join(hosts)}/{name}")) as database:
            assert database.all("SHOW port") == [(str(cluster.port),)]
        with pytest.raises(StoreError, match="read-only"):
            open_database(f"postgresql://postgres@{','.join(hosts[:2])}/{name}")
        any_of_them = f"postgresql://postgres@{hosts[1]}/{name}?target_session_attrs=any"
        with pytest.raises(StoreError, match="read-only"):  # it is asked to update the schema
            open_database(any_of_them)
    finally:
        standby.remove()


def answers(database: Database) -> bool:
    try:
        return database.all("SELECT 1") == [(1,)]
    except StoreUnavailable:
        return False


@pytest.mark.needs("pgbouncer")
def test_a_bouncer_that_starts_again_is_no_more_than_an_error(cluster: Cluster) -> None:
    """One that a client repeats."""
    bouncer = Bouncer(cluster)
    try:
        database = open_database(bouncer.behind(cluster.database()))
        bouncer.stop()
        with pytest.raises(StoreUnavailable):
            database.all("SELECT 1")
        bouncer.start()
        until(lambda: answers(database))
        database.close()
    finally:
        bouncer.remove()

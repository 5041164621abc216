"""Deletion of old events, and of those of a key."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from collector.admin.keys import source_named
from collector.base.background import Stopped
from collector.base.events import SUPPORT
from collector.base.keep import Keep
from collector.base.personal import without_address
from collector.base.times import DAY_MS
from collector.serve.keeper import HOUR_SECONDS, Keeper
from collector.store import Stores, open_database, open_stores
from collector.store.database import Database
from collector.store.deletion import expire_events
from collector.store.sql import expiry
from collector.store.sql.marks import ALL_MARKS
from collector.store.values import Cutoffs
from collector.store.words import MOST_WORDS, OTHER
from tests.collector.cluster import Cluster
from tests.collector.running import Collector, event
from tests.collector.store.sql.test_admission import DAY, started
from tests.collector.store.test_rollups import NOW, counted
from tests.wait import until


@pytest.mark.parametrize("name", ["Instance Active", "Installation Started"])
def test_purge_keeps_who_was_heard_of_only_now(
    tables: Database, database: str, tmp_path: Path, name: str
) -> None:
    """A site without a network brings what happened long ago; its events are young here."""
    idle = Collector(tmp_path, database)
    late = {"type": "track", "event": name, "anonymousId": "a", "timestamp": "2026-01-01T00:00:00Z"}
    line = json.dumps({**late, "context": {"installation": {"id": "r"}}})
    idle.verb("import", "--source", "s", "-", stdin=line)
    for age in ("30d", "36500d"):
        assert "0 events deleted" in idle.verb("purge", "--older-than", age).stderr
    runs = 0 if name == "Instance Active" else 1
    with tables.transaction() as tx:
        tx.execute("INSERT INTO answered (source, run, at, by_user) SELECT source, id, 0, 'ada' FROM runs")
    assert tables.all("SELECT count(*) FROM instances") == [(1,)]
    assert tables.all("SELECT count(*) FROM runs") == [(runs,)]
    idle.verb("purge", "--older-than", "0s")
    assert not any(tables.all(f"SELECT 1 FROM {table}") for table in ("instances", "runs", "answered"))


def test_purge_deletes_what_is_old_and_keeps_the_counters(
    tables: Database, database: str, tmp_path: Path
) -> None:
    idle = Collector(tmp_path, database)
    old = {"type": "track", "event": "Instance Active", "anonymousId": "a", "messageId": "old"}
    old |= {"timestamp": "2026-01-01T00:00:00Z", "receivedAt": "2026-01-01T00:00:00Z"}
    new = {**old, "messageId": "new", "anonymousId": "b", "timestamp": None, "receivedAt": None}
    idle.verb("import", "--source", "s", "-", stdin=json.dumps(old) + "\n" + json.dumps(new))
    assert "1 events deleted" in idle.verb("purge", "--older-than", "30d").stderr
    assert [event["messageId"] for event in idle.export()] == ["new"]
    assert tables.all("SELECT count(*) FROM instances") == [(1,)]
    assert int(tables.all("SELECT sum(n) FROM daily")[0][0]) == 2


def words(tables: Database) -> set[str]:
    """Every word in what is counted."""
    found = counted(tables)
    named = {key[3] for key in found["daily"]}
    return named | {key[3] for key in found["outcomes"] if key[1] != "all"}


def purge(stores: Stores, before: int, now: int = NOW) -> int:
    return expire_events(stores, Cutoffs.all_at(before), now, lambda _: None).deleted


def test_a_word_stays_as_long_as_an_event_with_it(stores: Stores, tables: Database) -> None:
    for day in (-9, -5):
        stores.events.keep([started(day + 100, day)])
    stores.events.keep([started(99, -5)._replace(received=NOW)])  # of a site that was without a network
    assert {"v91", "v95", "v99"} < words(tables)
    assert purge(stores, NOW - 3 * DAY_MS) == 2
    left = words(tables)
    assert "v91" not in left
    assert {"v99", "os99", "Installation Started"} < left
    numbers = counted(tables)["outcomes"]
    assert numbers[1, "all", DAY - 9, "", "open"] == numbers[1, "version", DAY - 9, OTHER, "open"] == 1
    assert purge(stores, NOW + 1) == 1
    assert words(tables) == {OTHER}
    assert counted(tables)["outcomes"][1, "all", DAY - 5, "", "open"] == 2


def test_a_day_of_the_past_admits_no_words_after_a_purge_and_today_does(
    stores: Stores, tables: Database
) -> None:
    stores.events.keep([started(1, -3), started(5, -2), started(2)])
    assert purge(stores, NOW - 2 * DAY_MS) == 1
    stores.events.keep([started(3, -2), started(4)])
    assert {"v2", "v4", "v5"} < words(tables)
    assert not {"v1", "v3"} & words(tables)
    assert counted(tables)["outcomes"][1, "version", DAY - 2, OTHER, "open"] == 1


def test_a_purge_leaves_nothing_of_what_was_sent(stores: Stores, tables: Database) -> None:
    with tables.transaction() as tx:
        assert source_named(tx, "product", 0) == 1
    stores.events.keep(started(number, -(number % 3)) for number in range(2 * MOST_WORDS))
    assert purge(stores, NOW + 1) == 2 * MOST_WORDS
    emptied = ("events", "instances", "runs", "usage")
    assert not any(tables.all(f"SELECT 1 FROM {table}") for table in emptied)
    assert words(tables) == {OTHER}


def send(collector: Collector, key: str, name: str, **fields: str) -> None:
    body = event(event=name, context={"installation": {"id": name}}, **fields)
    assert collector.post("/v1/track", body, key=key).status == 200


def test_the_events_of_a_revoked_key_are_purged_while_others_arrive(
    start: Callable[..., Collector], tables: Database, database: str
) -> None:
    collector = start(database)
    stranger = collector.verb("keys", "add", "test").stdout.strip()
    for number in range(30):
        send(collector, stranger, "Installation Started", anonymousId=f"fake {number}")
        send(collector, collector.key, "Instance Active", anonymousId=f"a{number % 3}")
    send(collector, stranger, "Instance Active", anonymousId="a1")
    collector.verb("keys", "revoke", stranger)
    early = collector.verb("purge", "--key", stranger, "--until", "2020-01-01")
    assert early.stderr == "rollcall-collector: 0 events deleted\n"
    assert "31 events deleted" in collector.verb("purge", "--key", stranger[:6]).stderr
    assert {one["event"] for one in collector.export()} == {"Instance Active"}
    assert tables.all("SELECT COUNT(*) FROM instances") == [(3,)]
    assert tables.all("SELECT COUNT(*) FROM runs WHERE started IS NOT NULL") == [(0,)]
    assert [(int(n),) for (n,) in tables.all("SELECT SUM(n) FROM daily")] == [(30,)]
    assert "purged key" in collector.verb("audit").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "--older-than"),
        (("--older-than", "90"), 2, "'90' is not a duration such as 90d"),
        (("--older-than", "1d", "--key", "x"), 2, "not allowed with"),
        (("--older-than", "1d", "--since", "2026-01-01"), 1, "go with --key"),
        (("--key", "nobody"), 1, "no keys match"),
        (("--key", "1", "--since", "yesterday"), 2, "'yesterday' is not a day or a time"),
    ],
)
def test_a_purge_that_is_not_clear_deletes_nothing(
    idle: Collector, arguments: tuple[str, ...], code: int, said: str
) -> None:
    idle.verb("import", "--source", "s", "-", stdin=json.dumps({"event": "x", "messageId": "m"}))
    assert said in idle.verb("purge", *arguments, code=code).stderr
    assert len(idle.export()) == 1


def test_a_server_purges_what_is_older_than_it_shall_keep(stores: Stores, tables: Database) -> None:
    stores.events.keep([started(1, -3), started(2)])
    stores.events.fold()
    assert {"v1", "v2"} <= words(tables)
    assert Keeper(stores, Keep(0, 0, 0)).step() is None
    kept = Keeper(stores, Keep(*[2 * 86_400] * 3), lambda: NOW / 1000, first=0)
    kept.start()
    try:
        assert until(lambda: "v1" not in words(tables))  # the last of a purge
    finally:
        kept.stop()
    assert "v2" in words(tables)
    assert tables.all("SELECT COUNT(*) FROM events") == [(1,)]


def test_a_hundred_years_are_for_ever_and_the_rest_expires(stores: Stores, tables: Database) -> None:
    stores.events.keep([started(1, -3), started(2)])
    Keeper(stores, Keep(86_400, 36_500 * 86_400, 86_400), lambda: NOW / 1000).expire()
    assert tables.all("SELECT COUNT(*) FROM events") == [(2,)]
    assert stores.events.last_expiry().at == NOW, "expiry came to its end"


def test_after_a_purge_that_fails_comes_the_next_one(
    stores: Stores, tables: Database, caplog: pytest.LogCaptureFixture
) -> None:
    asked = started(1, -3)._replace(name=SUPPORT, body="a disk has damaged the text: @")
    stores.events.keep([asked])
    keeper = Keeper(stores, Keep(0, 0, 86_400), lambda: NOW / 1000)
    assert keeper.step() == HOUR_SECONDS
    assert caplog.messages == ["what is old was not deleted: it failed with DecodeError"]
    with tables.transaction() as tx:
        tx.execute("UPDATE events SET body = '{}'")
    assert keeper.step() == HOUR_SECONDS
    assert stores.events.last_expiry().at == NOW


def test_after_a_jump_of_the_clock_a_purge_comes_an_hour_later(
    stores: Stores, tables: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Or a clock that is wrong for a minute would delete everything."""
    time, clock = NOW, 0.0
    keeper = Keeper(stores, Keep(*[10 * 86_400] * 3), lambda: time / 1000, clock=lambda: clock)

    def left() -> int:
        keeper.step()
        return len(tables.all("SELECT 1 FROM events"))

    stores.events.keep([started(1)])
    assert left() == 1
    time += 3650 * DAY_MS
    assert (left(), left()) == (1, 1)
    assert [text.partition(",")[0] for text in caplog.messages] == [
        "what is old was last deleted 3650 days ago"
    ]
    time, clock = NOW + HOUR_SECONDS * 1000, float(HOUR_SECONDS)
    assert left() == 1
    time += 30 * DAY_MS
    assert left() == 1
    purge(stores, 1, NOW + 2)  # by another collector, whose clock has not jumped
    clock += HOUR_SECONDS
    assert left() == 1
    clock += HOUR_SECONDS
    assert left() == 0
    assert len(caplog.messages) == 3
    assert stores.events.last_expiry().at == time


def test_a_server_that_stops_does_not_finish_a_purge_first(stores: Stores, tables: Database) -> None:
    stores.events.keep(started(number, -3) for number in range(500))
    stopped = Keeper(stores, Keep(*[86_400] * 3), lambda: NOW / 1000)
    stopped.stop()
    with pytest.raises(Stopped):
        stopped.expire()
    assert tables.all("SELECT COUNT(*) FROM events") == [(300,)]


def test_what_arrives_last_before_cutoffs_are_noted_is_counted_first(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or nobody would know that its source had counted anything so old."""
    monkeypatch.setattr(expiry, "fold_waiting", lambda _: None)
    sent = [started(1, -3), started(2, -3)]
    stores.events.keep(sent)
    assert purge(stores, NOW + 1) == 2
    assert stores.events.keep(sent) == 0


@pytest.mark.needs("postgresql")
def test_cutoffs_wait_for_whoever_stores_events_by_the_ones_before(cluster: Cluster) -> None:
    url = cluster.database()
    with closing(open_stores(url)) as stores, closing(open_database(url)) as other:
        sent = [started(1, -3)]
        stores.events.keep(sent)
        stores.events.fold()
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'expired'::regclass"
        with ThreadPoolExecutor(1) as thread:
            with other.transaction() as tx:
                tx.ask((ALL_MARKS,))
                purged = thread.submit(purge, stores, NOW + 1)
                assert until(lambda: other.all(waiting))
            assert purged.result() == 1


def test_an_address_goes_though_it_looks_like_none() -> None:
    told = (
        '{"messageId":"a@b.example","properties":{"email":"ada at home","note":"or bob@example.org","n":1}}'
    )
    left = '{"messageId":"a@b.example","properties":{"note":"or (hidden)","n":1}}'
    assert without_address(told) == left
    assert without_address(left) == left

"""Heartbeats expire by days: a day's table is dropped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from collector.base.keep import Keep
from collector.base.times import DAY_MS
from collector.serve.keeper import Keeper
from collector.store import Stores, open_database, open_stores
from collector.store.database import Database
from collector.store.fleet import InstanceFilter
from collector.store.sql import beat_expiry
from collector.store.sql.days import all_days, table_of
from collector.store.sql.expiry import old_instances
from collector.store.values import Cutoffs
from tests.collector.cluster import Cluster
from tests.collector.store.sql.test_arrival import HOUR, NOW, TODAY, beat, exported, rows

MIDNIGHT = TODAY * DAY_MS


def expire(stores: Stores, before: int) -> int:
    return stores.events.expire(Cutoffs.all_at(before), NOW, lambda _: None).deleted


def test_a_day_that_is_over_goes_with_its_table_and_the_next_stays_whole(
    stores: Stores, tables: Database
) -> None:
    late = beat(50, MIDNIGHT - HOUR, after=2 * HOUR)
    old = [late, *(beat(number, MIDNIGHT - number - 200) for number in range(20))]
    young = [beat(number, MIDNIGHT + number) for number in range(20)]
    stores.events.keep([*old, *young])
    assert expire(stores, MIDNIGHT) == len(old)
    assert all_days(tables) == [TODAY]
    assert set(exported(stores)) == {event.body for event in young}
    assert expire(stores, MIDNIGHT) == 0


def test_events_are_taken_while_a_large_day_is_dropped(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite overwrites what it drops, so it does that in pieces."""
    monkeypatch.setattr(beat_expiry, "EMPTIED", 10)
    stores.events.keep(beat(number, MIDNIGHT - number - 1) for number in range(35))
    seen: list[int] = []

    def arrive(count: int) -> None:
        seen.append(count)
        stores.events.keep([beat(100 + count, MIDNIGHT)])

    assert stores.events.expire(Cutoffs.all_at(MIDNIGHT), NOW, arrive).deleted == 35
    assert seen == ([10, 20, 30, 35] if tables.dialect == "sqlite" else [35])
    assert rows(tables) == (0, len(seen))
    assert all_days(tables) == [TODAY]


def test_within_a_day_those_go_that_were_received_before(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beat_expiry, "DELETED", 3)
    beats = [
        beat(n, MIDNIGHT + n * HOUR, after=after) for n, after in enumerate((9, 9, 9, 9, 5 * HOUR, 9, 9))
    ]
    ahead = beat(99, MIDNIGHT + 4 * HOUR + HOUR // 2, after=-HOUR // 2 - 1)  # its clock is ahead
    stores.events.keep([*beats, ahead])
    seen: list[int] = []
    before = Cutoffs.all_at(MIDNIGHT + 4 * HOUR)
    assert stores.events.expire(before, NOW, seen.append).deleted == 5 == seen[-1]
    assert set(exported(stores)) == {event.body for event in beats[4:]}
    assert rows(tables) == (0, 3)


def test_an_instance_stays_as_long_as_a_heartbeat_that_came_late(stores: Stores) -> None:
    who = b"b" * 16
    stores.events.keep([beat(1, MIDNIGHT + HOUR), beat(2, MIDNIGHT + HOUR, after=4 * HOUR, who=who)])
    assert expire(stores, MIDNIGHT + 2 * HOUR) == 1
    assert [
        one.id for one in stores.events.list_instances(1, InstanceFilter(), 0, TODAY, NOW, (NOW, b""), 9)[0]
    ] == [who]
    assert expire(stores, MIDNIGHT + DAY_MS) == 1
    assert stores.events.list_instances(1, InstanceFilter(), 0, TODAY, NOW, (NOW, b""), 9)[0] == []


def test_a_heartbeat_that_comes_after_its_day_expired_gets_a_table_again(
    stores: Stores, tables: Database
) -> None:
    stores.events.keep([beat(1)])
    stores.events.expire(Cutoffs(beats=MIDNIGHT + DAY_MS), NOW, lambda _: None)
    assert all_days(tables) == []
    assert stores.events.keep([beat(2), beat(3, who=b"b" * 16)]) == 1
    assert rows(tables) == (0, 1)


def test_a_server_expires_whole_days(stores: Stores, tables: Database) -> None:
    stores.events.keep([beat(1, MIDNIGHT - DAY_MS), beat(2, MIDNIGHT)])
    Keeper(stores, Keep(*[86_400] * 3), lambda: (MIDNIGHT + 30 * HOUR) / 1000).expire()
    assert all_days(tables) == [TODAY]
    assert rows(tables) == (0, 1)


def test_collectors_that_expire_the_same_days_at_once_drop_each_once(stores: Stores, database: str) -> None:
    stores.events.keep(beat(number, MIDNIGHT - number % 5 * DAY_MS + 1) for number in range(50))

    def expire_beside(_: int) -> int:
        with closing(open_stores(database)) as other:
            return expire(other, MIDNIGHT + DAY_MS)

    with ThreadPoolExecutor(3) as threads:
        assert sum(threads.map(expire_beside, range(3))) == 50
    assert not exported(stores)


def test_the_space_of_a_day_is_used_again(tmp_path: Path) -> None:
    with closing(open_stores(f"sqlite:///{tmp_path}/c.db")) as stores:
        sizes = []
        for day in range(4):
            stores.events.keep(beat(number, MIDNIGHT + day * DAY_MS + number) for number in range(5000))
            expire(stores, MIDNIGHT + day * DAY_MS)
            stores.control.tidy()
            sizes.append((tmp_path / "c.db").stat().st_size)
        assert sizes[0] < sizes[1] == sizes[2] == sizes[3]


def test_no_file_of_sqlite_has_an_id_of_a_day_that_expired(tmp_path: Path) -> None:
    with closing(open_stores(f"sqlite:///{tmp_path}/c.db")) as stores:
        who = b"instance of old!"
        stores.events.keep(beat(number, MIDNIGHT + number, who=who) for number in range(500))
        assert sum(file.read_bytes().count(who) for file in tmp_path.iterdir()) > 500
        assert expire(stores, MIDNIGHT + DAY_MS) == 500
        assert sum(file.read_bytes().count(who) for file in tmp_path.iterdir()) == 0


@pytest.mark.needs("postgresql")
def test_no_heartbeats_are_read_again_for_each_old_instance(cluster: Cluster) -> None:
    """A subquery that is no join is read again for each row, once it is larger than the memory for work."""
    url = cluster.database()
    with closing(open_stores(url)) as stores, closing(open_database(url)) as tables:
        young = beat(1, MIDNIGHT)
        stores.events.keep([young])
        sql, values = old_instances(tables, young.source, MIDNIGHT)
        assert table_of(TODAY).name in sql
        plan = "\n".join(line for (line,) in tables.all(f"EXPLAIN {sql}", *values))
        assert table_of(TODAY).name in plan
        assert "SubPlan" not in plan

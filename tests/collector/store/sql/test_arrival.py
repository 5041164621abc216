"""Heartbeats of the agent are stored in a few bytes, and each exactly once, wherever it is stored."""

from __future__ import annotations

import io
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256

import pytest

from collector.admin.transfer import Rejects, import_events
from collector.base.events import Event
from collector.base.ids import as_uuid, uuid_of
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.store import Stores, open_database, open_stores
from collector.store.beats import LATE_MS
from collector.store.database import Database, Transaction
from collector.store.spans import SLOT_MS
from collector.store.sql import arrival, instance_beats, shapes
from collector.store.sql.beat_expiry import expire_beats
from collector.store.sql.days import all_days, make_days, table_of
from collector.store.sql.shapes import delete_unused_shapes
from collector.store.sql.store import SqlEventStore
from collector.store.values import FIRST_PAGE, NO_PAGE, Cutoffs
from tests.collector.cluster import Cluster

NOW = 20_000 * DAY_MS + 13 * 3_600_000
HOUR = 3_600_000
TODAY = NOW // DAY_MS
ADA = b"a" * 16


def beat(
    number: int,
    made: int = NOW,
    *,
    after: int = 100,
    version: str = "0.1.0",
    key: int | None = 1,
    who: bytes = ADA,
    name: str = "Instance Active",
) -> Event:
    """A heartbeat as the agent makes it at a time, and as it is received so much later."""
    told = {
        "type": "track",
        "event": name,
        "anonymousId": as_uuid(who),
        "messageId": uuid_of(made.to_bytes(6, "big") + number.to_bytes(10, "big"), 7),
        "timestamp": write_time(made),
        "context": {"library": {"name": "rollcall", "version": version}, "ip": "0.0.0.0"},
        "integrations": {},
        "properties": {"instanceId": as_uuid(who)},
    }
    return decode.read_event(told, "", 1, made + after, write_time(made + after - 50), key=key)


def rows(tables: Database) -> tuple[int, int]:
    """How many events are wide, and how many are narrow."""
    wide = tables.all("SELECT COUNT(*) FROM events")[0][0]
    return int(wide), sum(
        int(tables.all(f"SELECT COUNT(*) FROM {table_of(d).name}")[0][0]) for d in all_days(tables)
    )


def exported(stores: Stores) -> Counter[str]:
    return Counter(body for piece in stores.events.export() for _, body in piece)


def test_heartbeats_are_in_the_tables_of_their_days_and_nowhere_else(
    stores: Stores, tables: Database
) -> None:
    beats = [beat(number, NOW - number * 6 * HOUR) for number in range(8)]
    assert stores.events.keep(beats) == len(beats)
    assert rows(tables) == (0, len(beats))
    assert all_days(tables) == [TODAY - 2, TODAY - 1, TODAY]
    assert exported(stores) == Counter(event.body for event in beats)
    assert [event.body for event in stores.events.latest_events(1, NO_PAGE, 10)] == [e.body for e in beats]


def test_what_is_exported_is_to_the_letter_what_was_sent_by_every_version(stores: Stores) -> None:
    chance = random.Random(1)
    beats = [
        beat(
            number,
            NOW - chance.randrange(LATE_MS),
            after=chance.randrange(0, HOUR),
            version=chance.choice(["0.1.0", "0.2.0", "1.10.3", "2.0rc1+local"]),
            who=chance.randbytes(16),
            key=chance.choice([None, 1, 2]),
        )
        for number in range(500)
    ]
    stores.events.keep(beats)
    digests = [
        sha256("\n".join(sorted(bodies)).encode()).digest()
        for bodies in (exported(stores), [e.body for e in beats])
    ]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("together", [False, True])
def test_an_event_is_stored_once_whether_it_comes_in_time_or_too_late(
    stores: Stores, tables: Database, first: int, *, together: bool
) -> None:
    """In time it is narrow, and too late it is wide; the same id may also be another event's."""
    soon, late = beat(1), beat(1, after=LATE_MS + 1000)
    assert soon.id == late.id
    for one, other in ((soon, late), (beat(2), beat(2, name="Another"))):
        chosen = (one, other)[first]
        if together:
            assert stores.events.keep([(one, other)[1 - first], chosen]) == 1
        else:
            assert stores.events.keep([chosen]) == 1
            assert stores.events.keep([(one, other)[1 - first]]) == 0
        assert stores.events.keep([one]) == stores.events.keep([other]) == 0
    assert rows(tables) == ((0, 2) if first == 0 else (2, 0))


def test_a_heartbeat_that_is_sent_again_is_stored_as_it_came_first(stores: Stores) -> None:
    first, again = beat(1), beat(1, after=90_000)
    assert first.body != again.body
    stores.events.keep([first])
    assert stores.events.keep([again, beat(2)]) == 1
    assert first.body in exported(stores)
    assert again.body not in exported(stores)


def test_heartbeats_of_before_are_found_with_those_of_today(stores: Stores, tables: Database) -> None:
    """Old ones stay where they are."""
    beats = [beat(number, NOW - number * HOUR) for number in range(6)]
    with tables.transaction() as tx:
        for old in reversed(beats[3:]):
            names = "source, id, received, time, type, name, who, run, body, key"
            tx.execute(f"INSERT INTO events ({names}) VALUES ({', '.join('?' * 10)})", *old[:-1])
    assert stores.events.keep(beats) == 3
    assert rows(tables) == (3, 3)
    bodies = [event.body for event in beats]
    ask = stores.events
    assert [e.body for e in ask.events_named(1, "Instance Active", NO_PAGE, 10)] == bodies
    assert [e.body for e in ask.events_of_instance(1, ADA, "", NO_PAGE, 10)] == bodies
    assert [e.body for e in ask.latest_events(1, NO_PAGE, 10)] == bodies
    assert exported(stores) == Counter(bodies)


def test_too_many_shapes_leave_the_known_ones_narrow(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "MOST_SHAPES", 3)
    for number in range(6):
        stores.events.keep([beat(number, version=f"1.{number}")])
    assert rows(tables) == (3, 3)
    restarted = SqlEventStore(tables)
    for number in (4, 1, 5, 2):
        assert restarted.keep([beat(10 + number, version=f"1.{number}")]) == 1
    assert rows(tables) == (5, 5)
    used = tables.all("SELECT SUM(bytes) FROM usage")[0][0]
    stores.events.keep([beat(30, version="1.9")])
    wide = tables.all("SELECT SUM(bytes) FROM usage")[0][0] - used
    stores.events.keep([beat(31, version="1.0")])
    narrow = tables.all("SELECT SUM(bytes) FROM usage")[0][0] - used - wide
    assert wide > narrow > 0


def test_a_shape_is_deleted_when_no_heartbeat_can_need_it(tables: Database) -> None:
    today = [TODAY]
    store = SqlEventStore(tables, lambda: today[0] * DAY_MS / 1000)
    store.keep([beat(1, version="old"), beat(2, version="new")])
    today[0] += 5
    store.keep([beat(3, NOW + 5 * DAY_MS, version="new")])

    def left() -> int:
        with tables.transaction() as tx:
            delete_unused_shapes(tx, today[0])
        return int(tables.all("SELECT COUNT(*) FROM shapes")[0][0])

    assert left() == 2
    assert store.expire(Cutoffs.all_at(NOW + DAY_MS), NOW + 5 * DAY_MS, lambda _: None).deleted == 2
    assert left() == 1
    store.keep([beat(4, NOW + 5 * DAY_MS, version="new"), beat(5, NOW + 5 * DAY_MS, version="old")])
    assert sum(map(len, store.export())) == 3


def test_a_number_that_a_deleted_shape_had_is_read_as_the_new_one(tables: Database) -> None:
    """SQLite gives it again. A server that goes on has read the old text."""
    today = [TODAY]
    store = SqlEventStore(tables, lambda: today[0] * DAY_MS / 1000)

    def bodies() -> list[str]:
        return [body for piece in store.export() for _, body in piece]

    old, new = beat(1, version="old"), beat(2, NOW + 5 * DAY_MS, version="new")
    store.keep([old])
    assert bodies() == [old.body]
    today[0] += 5
    assert store.expire(Cutoffs.all_at(NOW + DAY_MS), NOW + 5 * DAY_MS, lambda _: None).deleted == 1
    assert tables.all("SELECT COUNT(*) FROM shapes") == [(0,)]
    store.keep([new])
    assert bodies() == [new.body]


def test_collectors_that_make_the_table_of_a_day_at_once_lose_nothing(stores: Stores, database: str) -> None:
    beats = [beat(number, NOW + number % 5 * DAY_MS) for number in range(200)]

    def keep(start: int) -> int:
        with closing(open_stores(database)) as other:
            return sum(other.events.keep(beats[n : n + 10]) for n in range(start, start + 100, 10))

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(keep, (0, 0, 100, 50))) == len(beats)
    assert exported(stores) == Counter(event.body for event in beats)
    assert [one.beats for one in [stores.events.find_instance(1, ADA)] if one] == [len(beats)]


@pytest.mark.needs("postgresql")
def test_a_day_that_another_collector_drops_meanwhile_is_made_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = cluster.database()
    with closing(open_stores(url)) as stores, closing(open_database(url)) as dropping:
        stores.events.keep([beat(1)])
        drops: list[int] = []

        def make_days_late(tx: Transaction, wanted: set[tuple[int, int]]) -> None:
            make_days(tx, wanted)
            if not drops:
                drops.append(expire_beats(dropping, NOW + DAY_MS, NOW, lambda _: None))

        monkeypatch.setattr(arrival, "make_days", make_days_late)
        assert stores.events.keep([beat(2)]) == 1
        assert drops == [1]
        assert exported(stores) == Counter([beat(2).body])


@pytest.mark.parametrize("read", [1, 5, 100_000])
def test_heartbeats_of_an_instance_are_found_among_many_others(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    """However few are read for a page, none is empty before the end."""
    monkeypatch.setattr(instance_beats, "BEATS_READ", read)
    bob = b"b" * 16
    made = [NOW - number * 10 * HOUR for number in range(30)]
    mine = [at for number, at in enumerate(made) if number % 7 == 2]
    stores.events.keep(beat(number, at, who=bob if at in mine else ADA) for number, at in enumerate(made))
    for most in (1, 2, 10):
        pages: list[list[int]] = []
        end = NO_PAGE
        while page := stores.events.events_of_instance(1, bob, "", end, most):
            pages.append([event.time for event in page])
            end = page[-1].end
        assert [time for times in pages for time in times] == [at + 50 for at in mine]
        assert len(pages[0]) == min(most, 1 if read == 1 else len(mine))


def test_heartbeats_at_the_edge_of_a_slot_are_listed_once_from_either_end(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a page ends after one of them was read, and other events lie between."""
    monkeypatch.setattr(instance_beats, "BEATS_READ", 1)
    edge = NOW // SLOT_MS * SLOT_MS - 8 * SLOT_MS
    times = [edge + minutes * 60_000 for minutes in (-1100, -700, -30, 30, 700, 1100)]
    told = [beat(n, at) for n, at in enumerate(times)]
    told += [beat(20 + n, at + 60_000, name="Deployed") for n, at in enumerate(times)]
    stores.events.keep(told)
    wanted = [event.body for event in sorted(told, key=lambda event: event.time)]
    for most in (1, 2, 4, 50):
        for oldest_first, start in ((False, NO_PAGE), (True, FIRST_PAGE)):
            found: list[str] = []
            end = start
            while page := stores.events.events_of_instance(1, ADA, "", end, most, oldest_first=oldest_first):
                found += [event.body for event in page]
                end = page[-1].end
            assert found == (wanted if oldest_first else wanted[::-1])


def test_an_export_that_is_imported_again_is_the_same_and_narrow(stores: Stores, tables: Database) -> None:
    beats = [beat(number, NOW - number * HOUR, after=number * 1000) for number in range(20)]
    stores.events.keep(beats)
    text = "\n".join(exported(stores)).encode()
    for source, fresh in ((1, 0), (2, len(beats))):
        lines, rejects = io.BytesIO(text), Rejects(print)
        read = import_events(stores.events, lambda _: source, lines, NOW + DAY_MS, lambda _: None, rejects)  # noqa: B023
        assert (read, rejects.count) == ((len(beats), fresh), 0)
    assert rows(tables) == (0, 2 * len(beats))
    assert exported(stores) == Counter(event.body for event in beats * 2)

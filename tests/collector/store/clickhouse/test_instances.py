"""The table of instances: filled from before, right whatever fails, and all that a fleet is read from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.base.environments import ALL, PRODUCTION
from collector.base.events import BEAT, Event
from collector.base.times import DAY_MS
from collector.store import EventStore, StoreError, StoreUnavailable, open_stores
from collector.store.clickhouse import deletion, event_rows, expiry, filling, number_cache, part, sightings
from collector.store.clickhouse import events as lists
from collector.store.clickhouse.address import read_address
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.event_rows import Numbers, row_of
from collector.store.clickhouse.mutations import delete_rows
from collector.store.clickhouse.states import no_sighting
from collector.store.clickhouse.tables import EVENTS, INSTANCES
from collector.store.fleet import InstanceFilter
from collector.store.spans import SPANS
from collector.store.values import NO_PAGE, Cutoffs
from tests.collector.clickhouse import Debians
from tests.collector.store.contract.answers import FIRST, LAST, NAMES, PERIODS, said_by, told_by
from tests.collector.store.contract.history import INSTANCES as IDS
from tests.collector.store.contract.history import KEYS, NOW, SOURCE, keep_in_pieces, made_history
from tests.collector.store.contract.plain import instances_of

pytestmark = [pytest.mark.once, pytest.mark.needs("clickhouse")]


def quiet(_: int) -> None:
    """No progress."""


@pytest.fixture
def url(clickhouse: Debians) -> str:
    return clickhouse.database()


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Iterator[Callable[[], EventStore]]:
    """Opens the store, again if need be."""
    stores = []

    def open_it() -> EventStore:
        stores.append(open_stores(f"sqlite:///{tmp_path}/control.db", url))
        return stores[-1].events

    yield open_it
    for one in stores:
        one.close()


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with closing(Client(read_address(url))) as made:
        yield made


def fleet_of(store: EventStore) -> list[Any]:
    """What is told of all instances together."""
    census = store.census(SOURCE, NOW)
    return [
        [+census.active, +census.states, +census.versions, +census.first_days, +census.last_days],
        [store.active_by_day(SOURCE, span, FIRST, LAST) for span in (1, 7, 30)],
        [store.new_instances_by_week(SOURCE, 0), store.retention_by_week(SOURCE, 0)],
        store.instances_between(SOURCE, IDS[0], IDS[-1], 100),
    ]


def test_a_fleet_is_told_without_a_look_at_any_event(
    opened: Callable[[], EventStore], client: Client
) -> None:
    """So what it takes does not grow with the heartbeats."""
    store = opened()
    keep_in_pieces(store, made_history(0))
    told = fleet_of(store)
    client.run("DROP TABLE events")
    assert fleet_of(store) == told
    with pytest.raises(StoreError, match="events"):
        store.count_by_day(SOURCE, BEAT, FIRST, LAST)


def test_older_tables_are_filled_piece_by_piece_while_events_come_in(
    opened: Callable[[], EventStore], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer is right before, meanwhile and afterwards, also where some events have expired."""
    monkeypatch.setattr(filling, "PIECE_EVENTS", 80)
    store, history = opened(), made_history(0, environments=True)
    keep_in_pieces(store, history)
    store.expire(Cutoffs.all_at(NOW - 20 * DAY_MS), NOW, quiet)
    told = fleet_of(store.within(ALL))
    client.run("DROP TABLE instances")
    client.run("TRUNCATE TABLE versions")
    client.run("INSERT INTO versions VALUES (2)")
    store = opened()
    assert fleet_of(store.within(ALL)) == told
    assert client.rows("SELECT count() AS n FROM instances") == [(0,)]
    left = store.renew()
    assert left > 0
    late = history[-1]._replace(id=b"late".ljust(16), source=SOURCE, received=NOW, time=NOW - 1)
    store.keep([late])
    whole = fleet_of(store.within(ALL))
    assert whole != told
    store = opened()  # the one before was killed
    while store.renew():
        assert fleet_of(store.within(ALL)) == whole
    assert client.rows("SELECT max(version) AS n FROM versions") == [(3,)]
    assert fleet_of(store.within(ALL)) == fleet_of(opened().within(ALL)) == whole
    assert store.recount(quiet) == 0


def test_what_is_forgotten_while_older_tables_are_filled_does_not_come_back(
    opened: Callable[[], EventStore], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another collector deletes it after its events were read, and before what they say is inserted."""
    store, history = opened(), made_history(0)
    keep_in_pieces(store, history)
    empty_as_before(client)
    one, another = opened(), opened()
    fill = sightings.fill_instances

    def delete_meanwhile(*given: Any) -> None:
        fill(*given)
        client.run("CREATE TABLE late ENGINE = Memory AS SELECT * FROM instances WHERE id = ?", IDS[0])
        monkeypatch.setattr(filling, "fill_instances", fill)
        another.forget(SOURCE, IDS[0])
        client.run("INSERT INTO instances SELECT * FROM late")
        assert client.rows("SELECT count() AS n FROM instances WHERE id = ?", IDS[0]) == [(1,)]

    monkeypatch.setattr(filling, "fill_instances", delete_meanwhile)
    renew_all(one)
    assert client.rows("SELECT max(version) AS n FROM versions") == [(3,)]
    assert told_by(one) == said_by([event for event in history if event.who != IDS[0]])


def renew_all(store: EventStore) -> None:
    while store.renew():
        pass


def empty_as_before(client: Client) -> None:
    """As an older version leaves the tables."""
    client.run("TRUNCATE TABLE instances")
    client.run("TRUNCATE TABLE versions")
    client.run("INSERT INTO versions VALUES (2)")


@pytest.mark.parametrize("failing", ["fill_instances", "wrong_instances", "note_version"])
def test_a_step_that_fails_while_older_tables_are_filled_is_taken_again(
    opened: Callable[[], EventStore], client: Client, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    keep_in_pieces(opened(), made_history(0))
    empty_as_before(client)
    store = opened()

    def fail(*_: Any) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(filling, failing, fail)
        with pytest.raises(StoreUnavailable):
            renew_all(store)
    assert client.rows("SELECT max(version) AS n FROM versions") == [(2,)]
    renew_all(store)
    assert client.rows("SELECT max(version) AS n FROM versions") == [(3,)]
    assert told_by(store) == said_by(made_history(0))


def test_what_an_event_says_of_its_instance_follows_when_the_event_comes_again(
    opened: Callable[[], EventStore], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is as the event is stored: the time of one that comes again may differ."""
    store, history = opened(), made_history(0)
    insert = Client.insert

    def fail(self: Client, table: Any, rows: Any, **options: Any) -> None:
        if table is INSTANCES:
            raise StoreUnavailable
        insert(self, table, rows, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Client, "insert", fail)
        with pytest.raises(StoreUnavailable):
            store.keep(history)
    assert client.rows("SELECT count() AS n FROM instances") == [(0,)]
    again = [event._replace(time=event.time - 7, received=event.received + 9) for event in history]
    assert store.keep(again) == 0
    assert told_by(store) == said_by(history)


def test_a_recount_makes_the_rows_anew_that_are_wrong(
    opened: Callable[[], EventStore], client: Client
) -> None:
    store, history = opened(), made_history(0)
    keep_in_pieces(store, history)
    assert store.recount(quiet) == 0
    delete_rows(client, "instances", "source = ? AND id = ?", SOURCE, IDS[0])
    client.insert(INSTANCES, [no_sighting(SOURCE, IDS[1], 5), no_sighting(SOURCE, b"nobody".ljust(16), 5)])
    assert fleet_of(store)[3] != list(IDS)
    assert store.recount(quiet) == 3
    assert told_by(store) == said_by(history)
    assert store.recount(quiet) == 0


def test_an_instance_that_is_back_while_it_expires_counts_as_new(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, history = opened(), [event for event in made_history(0) if event.source == SOURCE]
    keep_in_pieces(store, history)
    back = history[0]._replace(id=b"back".ljust(16), name=BEAT, time=NOW + 5, received=NOW + 5)
    renew = sightings.renew_gone_instances

    def come_back(*given: Any) -> None:
        store.keep([back])
        renew(*given)

    monkeypatch.setattr(expiry, "renew_gone_instances", come_back)
    store.expire(Cutoffs.all_at(NOW + 1), NOW, quiet)
    assert told_by(store)["instances"] == said_by([back])["instances"]
    census = store.census(SOURCE, NOW + 10)
    assert census.states == {("beating", False): 1}
    assert store.recount(quiet) == 0


def test_an_expiry_that_was_interrupted_tells_the_same_until_it_is_finished(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, history = opened(), made_history(0)
    keep_in_pieces(store, history)
    before = fleet_of(store)

    def fail(*_: Any) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(expiry, "renew_gone_instances", fail)
        with pytest.raises(StoreUnavailable):
            store.expire(Cutoffs.all_at(NOW + 1), NOW, quiet)
    told = fleet_of(store)
    assert told[1:3] == before[1:3]  # numbers by day stay
    assert told[3] == []
    store.expire(Cutoffs.all_at(NOW + 1), NOW, quiet)
    assert fleet_of(store) == told
    assert store.recount(quiet) == 0


def test_a_deletion_of_which_the_row_alone_is_left_is_finished(
    opened: Callable[[], EventStore], client: Client
) -> None:
    store = opened()
    keep_in_pieces(store, made_history(0))
    delete_rows(client, "events", "source = ? AND who = ?", SOURCE, IDS[0])
    assert IDS[0] in store.instances_between(SOURCE, IDS[0], IDS[-1], 100)
    store.forget(SOURCE, IDS[0])
    assert IDS[0] not in store.instances_between(SOURCE, IDS[0], IDS[-1], 100)
    assert client.rows("SELECT count() AS n FROM instances WHERE id = ?", IDS[0]) == [(0,)]


def test_a_removal_that_was_interrupted_is_finished_by_the_next(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, history = opened(), made_history(0)
    keep_in_pieces(store, history)

    def fail(*_: Any) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(deletion, "renew_instances", fail)
        with pytest.raises(StoreUnavailable):
            store.remove(KEYS[0], 0, NOW + 1, quiet)
    left = [event for event in history if event.key != KEYS[0]]
    assert store.census(SOURCE, NOW).first_days != said_by(left)["first days"]
    assert store.remove(KEYS[0], 0, NOW + 1, quiet) == 0
    assert told_by(store) == said_by(left)


def test_years_of_heartbeats_at_once_are_all_in_the_row(opened: Callable[[], EventStore]) -> None:
    """A set of more than 127 days has a longer head."""
    store, sample = opened(), next(event for event in made_history(0) if event.name == BEAT)
    beats = [
        sample._replace(source=SOURCE, id=number.to_bytes(16, "big"), time=NOW - number * DAY_MS)
        for number in range(400)
    ]
    store.keep(beats)
    assert told_by(store)["active in 1"] == said_by(beats)["active in 1"]
    assert store.recount(quiet) == 0


def cache_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fleet be large, so that all of its numbers are cached, and not counted anew soon."""
    monkeypatch.setattr(number_cache, "LARGE", 1)
    monkeypatch.setattr(number_cache, "QUICK_SECONDS", 0.0)
    monkeypatch.setattr(number_cache, "RENEWED_TIMES", 1e6)


def test_numbers_of_a_large_fleet_are_cached_until_something_is_deleted_and_tell_their_age(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, history = opened(), made_history(0)
    keep_in_pieces(store, history[:100])
    told = told_by(store)
    keep_in_pieces(store, history[100:])
    assert told_by(store) != told  # a small one is counted each time
    assert store.counted_until() is None
    cache_all(monkeypatch)
    began = time.time_ns() // 1_000_000
    told = told_by(store.within(PRODUCTION))
    assert told == said_by(history)
    beat = next(event for event in history if event.name == BEAT)
    later = beat._replace(id=b"later".ljust(16), source=SOURCE, who=b"other".ljust(16), time=NOW - 1)
    store.keep([later])
    again = store.within(PRODUCTION)
    assert [again.active_by_day(SOURCE, span, FIRST, LAST) for span in SPANS] == [
        told[f"active in {span}"] for span in SPANS
    ]
    counted = again.counted_until()
    assert counted is not None
    assert began <= counted <= time.time_ns() // 1_000_000
    assert again.count_by_day(SOURCE, BEAT, FIRST, LAST)[NOW // DAY_MS] > 0
    assert store.within(ALL).counted_until() is None  # nothing was asked of this one yet
    listed = again.list_instances(SOURCE, InstanceFilter("all"), FIRST, LAST, NOW, (NOW + 1, b""), 100)[0]
    assert later.who in [one.id for one in listed]  # a list is not cached
    store.forget(SOURCE, IDS[0])
    left = said_by([event for event in [*history, later] if event.who != IDS[0]])
    assert {name: told for name, told in told_by(store).items() if told != left[name]} == {}


def test_a_sort_of_very_many_rows_goes_through_files(client: Client) -> None:
    """So does that of the events of one instance, of which a stranger may send any number."""
    sql = "SELECT toUInt64(value) AS n FROM system.settings WHERE name = 'max_bytes_before_external_sort'"
    ((most,),) = client.rows(sql, database=False)
    assert 0 < most < 1 << 30


def test_cached_numbers_have_each_instance_once_after_another_collector_let_it_expire(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_all(monkeypatch)
    monkeypatch.setattr(part, "KNOWN_SECONDS", 0.0)
    store, other = opened(), opened()
    keep_in_pieces(store, made_history(0))
    told = fleet_of(store)
    assert other.expire(Cutoffs.all_at(NOW), NOW, quiet).events
    assert fleet_of(store)[1:3] == fleet_of(other)[1:3] == told[1:3]


def test_the_names_that_are_counted_together_are_the_most_frequent_and_others_are_counted_alone(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So whoever sends any number of names changes neither what is cached nor how large it is."""
    store, history = opened(), made_history(0)
    keep_in_pieces(store, history)
    told, often = told_by(store), store.event_names(SOURCE, 100)
    assert len(often) > 3
    monkeypatch.setattr(lists, "MOST_NAMES", 2)
    cache_all(monkeypatch)
    assert store.event_names(SOURCE, 100) == often[:2]
    assert [name for name, _ in store.count_by_name(SOURCE, FIRST, LAST, 100)] == often[:2]
    monkeypatch.setattr(lists, "MOST_DAYS", 1)
    asked = opened().within(PRODUCTION)
    assert asked.event_names(SOURCE, 100) == [BEAT]
    assert [asked.count_by_day(SOURCE, name, *PERIODS[0]) for name in NAMES[1:]] == told["by day"]
    store.keep(event._replace(id=event.id[::-1]) for event in history)
    again = asked.within(ALL)
    assert [again.count_by_day(SOURCE, name, *PERIODS[0]) for name in NAMES[1:]] == told["by day"]
    assert again.counted_until() is not None


def test_the_names_to_choose_from_say_no_age(
    opened: Callable[[], EventStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list below them is of now."""
    cache_all(monkeypatch)
    store = opened()
    keep_in_pieces(store, made_history(0))
    view = store.within(PRODUCTION)
    assert view.event_names(SOURCE, 100) == view.event_names(SOURCE, 100) != []
    assert view.counted_until() is None
    assert view.count_by_name(SOURCE, FIRST, LAST, 100)
    assert view.counted_until() is not None


def test_each_event_is_listed_and_counted_once_that_two_collectors_took(
    opened: Callable[[], EventStore], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also across its pages, and where many have two rows."""
    monkeypatch.setattr(lists, "SPARE", 0)
    store, history = opened(), [event for event in made_history(0) if event.source == SOURCE]
    client.run("SYSTEM STOP MERGES events")
    store.keep(history)
    numbers = Numbers()
    later = [event._replace(time=event.time + DAY_MS) for event in history[::2]]
    client.insert(EVENTS, [row_of(event, numbers.next()) for event in later])

    def pages(ask: Callable[..., list[Any]]) -> list[str]:
        found, end = list[Any](), NO_PAGE
        while some := ask(end, 7):
            found += some
            end = some[-1].end
        return [event.body for event in found]

    latest = pages(lambda end, most: store.latest_events(SOURCE, end, most))
    assert latest == [event.body for event in reversed(history)]
    named = pages(lambda end, most: store.events_named(SOURCE, BEAT, end, most))
    assert named == bodies_by_time([event for event in history if event.name == BEAT])
    shown = [one for who in IDS if (one := store.find_instance(SOURCE, who))]
    fleet = [one for one in instances_of(history) if one.who in IDS]
    assert {one.id: one.beats for one in shown} == {one.who: len(one.beats) for one in fleet}
    assert {one.id: one.last_seen for one in shown} == {one.who: one.last for one in fleet}
    monkeypatch.setattr(event_rows, "READ_AT_ONCE", 7)
    assert [body for piece in store.export() for _, body in piece] == [event.body for event in history]


def bodies_by_time(events: Sequence[Event]) -> list[str]:
    return [event.body for event in sorted(events, key=lambda event: -event.time)]

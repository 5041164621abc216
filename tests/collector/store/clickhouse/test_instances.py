"""The table of instances: filled from before, right whatever fails, and all that a fleet is read from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from collector.base.events import BEAT, STARTED, Event
from collector.base.times import DAY_MS
from collector.store import EventStore, StoreError, StoreUnavailable
from collector.store.clickhouse import deletion, event_rows, expiry, sightings
from collector.store.clickhouse import events as lists
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.event_rows import Numbers, row_of
from collector.store.clickhouse.mutations import delete_rows
from collector.store.clickhouse.states import no_sighting
from collector.store.clickhouse.tables import EVENTS, INSTANCES
from collector.store.values import NO_PAGE, Cutoffs
from tests.collector.store.clickhouse.fleet import fleet_of, quiet
from tests.collector.store.contract.answers import FIRST, LAST, said_by, told_by
from tests.collector.store.contract.history import INSTANCES as IDS
from tests.collector.store.contract.history import KEYS, NOW, SOURCE, keep_in_pieces, made_history
from tests.collector.store.contract.plain import instances_of

pytestmark = [pytest.mark.once, pytest.mark.needs("clickhouse")]


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


def test_an_instance_with_very_many_runs_is_forgotten(opened: Callable[[], EventStore]) -> None:
    """Their ids are more than one deletion takes, which ZooKeeper has to keep."""
    store, sample = opened(), next(event for event in made_history(0) if event.name == STARTED)
    store._client.configure({"max_query_size": str(1 << 20)}, {})  # type: ignore[attr-defined]
    keys = [number.to_bytes(16, "big") for number in range(20_000)]
    history = [sample._replace(source=SOURCE, id=key, run=key) for key in keys]
    assert sample.who
    store.expire(Cutoffs(emails=1), NOW, quiet)  # from now on there is a past, which is searched too
    store.keep(history)
    assert store.forget(SOURCE, sample.who).runs == len(keys)
    assert store.find_runs(SOURCE, keys[:2]) == []


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


def test_a_sort_of_very_many_rows_goes_through_files(client: Client) -> None:
    """So does that of the events of one instance, of which a stranger may send any number."""
    sql = "SELECT toUInt64(value) AS n FROM system.settings WHERE name = 'max_bytes_before_external_sort'"
    ((most,),) = client.rows(sql, database=False)
    assert 0 < most < 1 << 30


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

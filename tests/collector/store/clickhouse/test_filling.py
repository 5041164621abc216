"""The table of instances is filled from older tables, right whatever fails meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.base.environments import ALL
from collector.base.times import DAY_MS
from collector.store import EventStore, StoreUnavailable
from collector.store.clickhouse import filling, sightings
from collector.store.clickhouse.client import Client
from collector.store.values import Cutoffs
from tests.collector.store.clickhouse.fleet import fleet_of, quiet
from tests.collector.store.contract.answers import said_by, told_by
from tests.collector.store.contract.history import INSTANCES as IDS
from tests.collector.store.contract.history import NOW, SOURCE, keep_in_pieces, made_history

pytestmark = [pytest.mark.once, pytest.mark.needs("clickhouse")]


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

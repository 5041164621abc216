"""One process forgets an instance while another one deletes what is old: nothing of it is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.base.times import DAY_MS
from collector.store import EventStore
from collector.store.clickhouse import expiry
from collector.store.clickhouse.client import Client
from collector.store.clickhouse.mutations import delete_rows
from collector.store.clickhouse.tables import (
    COUNTERS,
    CUTOFFS,
    EVENTS,
    EXPIRIES,
    INSTANCES,
    PAST_INSTANCES,
    PAST_RUNS,
)
from collector.store.values import NO_PAGE, Cutoffs
from tests.collector.store.clickhouse.fleet import quiet
from tests.collector.store.contract.history import INSTANCES as IDS
from tests.collector.store.contract.history import NOW, SOURCE, keep_in_pieces, made_history

pytestmark = [pytest.mark.once, pytest.mark.needs("clickhouse"), pytest.mark.timeout(600)]

WHO = IDS[0]
OWNERS = {EVENTS: "who", INSTANCES: "id", PAST_INSTANCES: "id", PAST_RUNS: "instance"}
CHANGES = 3  # of some dozen statements, at which the other process comes in the short form
OLD = Cutoffs(NOW - 20 * DAY_MS, NOW - 20 * DAY_MS, NOW - 5 * DAY_MS)


def rows_of(client: Client, table: Any) -> list[Any]:
    sql = f"SELECT {table.names} FROM {table.name} WHERE source = ? AND {OWNERS[table]} = ?"
    return client.rows(sql, SOURCE, WHO)


def traces(client: Client) -> dict[str, int]:
    """In which tables the instance still is."""
    found = {}
    for table, column in OWNERS.items():
        sql = f"SELECT count() AS n FROM {table.name} WHERE source = ? AND {column} = ?"
        ((found[table.name],),) = client.rows(sql, SOURCE, WHO)
    return {name: n for name, n in found.items() if n}


class Between:
    """Does something while one of the statements of a client runs that change something.

    What a statement writes of the instance then is there only afterwards: it was read before.
    """

    def __init__(self, number: int, what: Callable[[], object]) -> None:
        self.count, self.number, self.what = 0, number, what

    def around(self, client: Client, statement: Callable[[], object]) -> None:
        self.count += 1
        if self.count != self.number:
            statement()
            return
        before = {table: rows_of(client, table) for table in (EVENTS, PAST_INSTANCES, PAST_RUNS)}
        statement()
        late = {
            table: [one for one in rows_of(client, table) if one not in before[table]] for table in before
        }
        self.what()
        for table, rows in late.items():
            Client.insert(client, table, rows)


def expire(store: EventStore, between: Between, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is old expire, with something in between."""
    own = store._patient  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:
        for name in ("run", "insert"):
            made = getattr(own, name)

            def change(*given: Any, made: Any = made, **named: Any) -> None:
                between.around(client, lambda: made(*given, **named))

            patched.setattr(own, name, change)
        store.expire(OLD, NOW, quiet)


@pytest.mark.parametrize("again", [False, True])
def test_who_is_forgotten_while_another_process_expires_leaves_nothing(
    opened: Callable[[], EventStore],
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    *,
    again: bool,
    slow: bool,
) -> None:
    monkeypatch.setattr(expiry, "KNOWN_SECONDS", 0)
    one, other, history = opened(), opened(), made_history(0)

    def filled() -> None:
        for table in (EVENTS, INSTANCES, PAST_INSTANCES, PAST_RUNS, COUNTERS, CUTOFFS, EXPIRIES):
            client.run(f"TRUNCATE TABLE {table.name}")
        keep_in_pieces(one, history, 200)
        if again:
            before = NOW - 30 * DAY_MS
            one.expire(Cutoffs(before, before), NOW, quiet)

    filled()
    whole = Between(0, lambda: None)
    expire(one, whole, client, monkeypatch)
    assert {"past_instances", "past_runs", "events", "instances"} == traces(client).keys()
    chosen = range(1, whole.count + 1) if slow else range(1 + again, whole.count + 1, whole.count // CHANGES)
    left = {}
    for number in chosen:
        filled()
        expire(one, Between(number, lambda: other.forget(SOURCE, WHO)), client, monkeypatch)
        if found := traces(client):
            left[number] = found
    assert left == {}


def test_an_expiry_takes_nobody_for_forgotten_whose_row_is_missing(
    opened: Callable[[], EventStore], client: Client
) -> None:
    store, history = opened(), [event for event in made_history(0) if event.who == WHO]
    keep_in_pieces(store, history)
    delete_rows(client, "instances", "source = ? AND id = ?", SOURCE, WHO)
    known, before = store.find_instance(SOURCE, WHO), NOW - 5 * DAY_MS
    store.expire(Cutoffs(NOW - 20 * DAY_MS, NOW - 20 * DAY_MS, before), NOW, quiet)
    assert {"events", "past_instances", "past_runs"} == traces(client).keys()
    assert store.find_instance(SOURCE, WHO) == known
    left = [event for event in history if event.source == SOURCE and event.received >= NOW - 20 * DAY_MS]
    assert len(store.events_of_instance(SOURCE, WHO, "", NO_PAGE, 1000)) == len(left)
    assert store.recount(quiet) == 1

"""Events of a key, taken out: all that is counted is as if they had never come."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from collector.base.events import BEAT, ERRORS, STARTED, SUCCESS, Event
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.store import Stores, open_stores, schema
from collector.store.database import Database
from collector.store.deletion import forget_instance, remove_events
from collector.store.sql import removal
from tests.collector.page.client import NOW
from tests.collector.page.histories import sent
from tests.collector.store.sql.test_arrival import beat as agents_beat
from tests.collector.store.test_rollups import COPY, counted, distinct, empty, of_sources, recount
from tests.wait import PATIENCE

GONE, KEPT = 1, 2


def quiet(_: int) -> None:
    """No progress."""


def remove(stores: Stores) -> int:
    return remove_events(stores, GONE, 0, 2**62, quiet)


def read(found: Sequence[dict[str, Any]], keys: random.Random) -> list[Event]:
    return distinct(
        [decode.read_event(event, "", 1, NOW, settled=True, key=keys.choice((GONE, KEPT))) for event in found]
    )


def check(stores: Stores, tables: Database, kept: Sequence[Event]) -> None:
    """The counters, and each row of an instance and a run, are those of these events."""
    assert counted(tables) == recount(kept)
    stores.events.keep(event._replace(source=COPY) for event in kept)
    for table in (schema.INSTANCES, schema.RUNS):
        assert of_sources(tables, table, 1) == of_sources(tables, table, COPY)
    assert tables.all("SELECT * FROM removals") == []


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(sent(), max_size=60), st.randoms(use_true_random=False), st.integers(1, 60))
def test_counters_equal_a_recount_of_what_is_left(
    stores: Stores, tables: Database, found: list[dict[str, Any]], chance: random.Random, at_once: int
) -> None:
    empty(tables)
    events = read(found, chance)
    for start in range(0, len(events), 20):
        stores.events.keep(events[start : start + 20])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(removal, "AT_ONCE", at_once)
        patch.setattr(removal, "MOST_SCANNED", 2)
        patch.setattr(removal, "SCANNED_AT_ONCE", 7)
        assert remove(stores) == sum(event.key == GONE for event in events)
    check(stores, tables, [event for event in events if event.key == KEPT])


def history(chance: random.Random, size: int) -> list[dict[str, Any]]:
    """Events of a few instances and runs in the last days."""

    def one(number: int) -> dict[str, Any]:
        name = chance.choice([BEAT, BEAT, STARTED, SUCCESS, ERRORS])
        context = {"app": {"version": str(number % 3)}, "installation": {"id": f"run {number % 7}"}}
        return {
            "type": "track",
            "event": name,
            "anonymousId": f"a{chance.randrange(5)}",
            "messageId": str(number),
            "timestamp": write_time(NOW - chance.randrange(20 * DAY_MS)),
            "context": {} if name == BEAT else context,
            "properties": {"script": "install.sh", "line": number % 4, "reason": "exit"},
        }

    return [one(number) for number in range(size)]


def test_a_removal_that_was_interrupted_goes_on_when_it_is_called_again(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(1)
    events = read(history(chance, 150), chance)
    stores.events.keep(events)
    monkeypatch.setattr(removal, "AT_ONCE", 3)
    for step in ("_delete", "_replace_runs", "_replace_quiet_instances", "_replace_by_beats"):
        with monkeypatch.context() as patch:
            patch.setattr(removal, step, broken(getattr(removal, step)))
            with pytest.raises(ZeroDivisionError):
                remove(stores)
    remove(stores)
    check(stores, tables, [event for event in events if event.key == KEPT])


def test_who_is_forgotten_after_an_interrupted_removal_is_counted_when_it_comes_back(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [{**one, "anonymousId": "a0"} for one in history(random.Random(1), 30)]
    sent = read(told, random.Random(1))
    back = [event._replace(key=KEPT) for event in sent if event.name == BEAT][:1]
    before = [event._replace(key=GONE) for event in sent if event.id != back[0].id]
    stores.events.keep(before)
    with monkeypatch.context() as patch:
        patch.setattr(removal, "_replace_runs", lambda *_, **__: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            remove(stores)
    assert {kind for (kind,) in tables.all("SELECT kind FROM removals")} == {"run", "instance"}
    assert before[0].who is not None
    forget_instance(stores, 1, before[0].who)
    assert tables.all("SELECT * FROM removals") == []
    stores.events.keep(back)
    remove(stores)
    check(stores, tables, back)


def broken(step: Callable[..., int]) -> Callable[..., int]:
    """The step, which breaks when it is taken the second time, after it has written."""
    calls = itertools.count(1)

    def taken(*arguments: Any, **more: Any) -> int:
        done = step(*arguments, **more)
        return done // (2 - next(calls))

    return taken


def beat(number: int, key: int) -> Event:
    """One of many heartbeats of ten instances."""
    who = bytes([number % 10]) * 16
    message = f"{key} {number}"
    told = {"type": "track", "event": BEAT, "anonymousId": "x", "messageId": message}
    if number % 2:
        return agents_beat(number * 2 + key, NOW - number * 60_000, who=who, key=key)
    read = decode.read_event(told, "", 1, NOW - number * 60_000, settled=True, key=key)
    return read._replace(who=who)


def test_instances_that_send_all_the_time_are_replaced_in_one_transaction(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [beat(number, KEPT) for number in range(40)]
    stores.events.keep(beat(number, GONE) for number in range(40))
    stores.events.keep(kept[:20])
    calls: list[int] = []

    def interrupted(store: Any, keys: Any) -> Any:
        found = read_all(store, keys)
        if isinstance(store, Database):
            stores.events.keep(kept[20 + len(calls) : 21 + len(calls)])
            calls.append(1)
        return found

    read_all = removal._all_beats
    monkeypatch.setattr(removal, "_all_beats", interrupted)
    monkeypatch.setattr(removal, "MOST_SCANNED", 1)
    monkeypatch.setattr(removal, "TRIES", 3)
    removal.remove_events(tables, GONE, 0, 2**62, quiet)
    check(stores, tables, kept[: 20 + len(calls)])


def test_what_arrives_during_a_removal_is_counted(stores: Stores, tables: Database, database: str) -> None:
    kept = [beat(number, KEPT) for number in range(600)]
    stores.events.keep(beat(number, GONE) for number in range(600))
    stores.events.keep(kept[:100])
    begun = threading.Event()

    def arrive() -> None:
        with closing(open_stores(database)) as other:
            for number in range(100, 600, 5):
                other.events.keep(kept[number : number + 5])
                begun.set()

    thread = threading.Thread(target=arrive)
    thread.start()
    begun.wait(PATIENCE)
    remove(stores)
    thread.join()
    check(stores, tables, kept)


def test_a_heartbeat_that_arrives_after_all_were_read_is_counted(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step that writes looks again at what has come since."""
    kept = [beat(number, KEPT) for number in range(20)]
    stores.events.keep(kept[:10])
    stores.events.keep([beat(3, GONE)])

    def arrive(*arguments: Any) -> None:
        see(*arguments)
        monkeypatch.setattr(removal, "_see_beats", see)
        stores.events.keep(kept[10:])

    see = removal._see_beats
    monkeypatch.setattr(removal, "_see_beats", arrive)
    remove(stores)
    check(stores, tables, kept)

"""An instance that is forgotten leaves nothing, and the counters are those of what is left."""

from __future__ import annotations

import json
import random
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from collector.base.environments import ENVIRONMENTS
from collector.base.events import BEAT, ERRORS, STARTED, SUPPORT, Event, Fact, fact_of
from collector.store import Stores, StoreUnavailable, open_stores, schema
from collector.store.database import Database
from collector.store.deletion import forget_instance
from collector.store.retries import TRIES
from collector.store.sql import forgetting
from tests.collector.store.test_rollups import (
    COPY,
    NOW,
    TABLES,
    beat,
    counted,
    distinct,
    empty,
    events,
    of_sources,
    recount,
)

ADA, BOB = bytes([0]) * 16, bytes([1]) * 16
RUN = bytes([2]) * 16


def told(event: Event) -> Event:
    """The event with the JSON that its fact came from."""
    if not event.fact or event.name == BEAT:
        return event
    fact = event.fact
    same = ("reason", "signal", "script", "line", "command", "email", "reference")
    properties = {name: getattr(fact, name) for name in same}
    properties |= {"durationSeconds": fact.duration and fact.duration / 1000, "exitCode": fact.exit_code}
    context = {
        "app": {"version": fact.version},
        "os": {"name": fact.os, "version": fact.os_version},
        "installation": {"environment": ENVIRONMENTS[fact.environment]},
    }
    assert fact_of(event.name, context, properties) == fact
    return event._replace(body=json.dumps({"context": context, "properties": properties}))


def of_run(name: str, who: bytes, time: int, fact: Fact) -> Event:
    key = sha256(f"{name} {time}".encode()).digest()[:16]
    return told(Event(1, key, NOW, time, "track", name, who, RUN, "{}", fact=fact))


@settings(
    max_examples=150,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(events().map(told), max_size=40), st.integers(0, 2**32))
def test_counters_equal_a_recount_of_what_is_left_after_any_deletions(
    stores: Stores, tables: Database, found: list[Event], seed: int
) -> None:
    """Also where instances share a run, and where an instance comes back."""
    empty(tables)
    chance = random.Random(seed)
    left: dict[tuple[int, bytes], Event] = {}
    pending = distinct(found)
    while pending:
        size = chance.randint(1, 15)
        stores.events.keep(pending[:size])
        left.update((event[:2], event) for event in pending[:size])
        del pending[:size]
        if chance.random() < 0.5:
            source, who = chance.randint(1, 2), bytes([chance.randint(0, 2)]) * 16
            gone = [key for key, event in left.items() if event.source == source and event.who == who]
            done = forget_instance(stores, source, who)
            assert done.events == len(gone)
            assert done.digest == sha256(b"".join(key for _, key in sorted(gone))).hexdigest()
            for key in gone:
                del left[key]
    stores.events.keep(event._replace(source=event.source + COPY - 1) for event in left.values())
    assert counted(tables) == recount(list(left.values()))
    for table in (schema.INSTANCES, schema.RUNS):
        assert of_sources(tables, table, 1) == of_sources(tables, table, COPY)


def test_the_receipt_counts_what_is_gone_and_nothing_has_the_id(stores: Stores, tables: Database) -> None:
    days = [beat(0, NOW - day * 86_400_000) for day in range(40)]
    run = [of_run(name, ADA, NOW - 9, Fact(version="1")) for name in (STARTED, ERRORS)]
    asked = of_run(SUPPORT, ADA, NOW - 8, Fact(email="ada@example.org", reference="01234567"))
    usage = Event(1, b"u" * 16, NOW, NOW, "track", "Something Used", ADA, None, "{}")
    stores.events.keep([*days, *run, asked, usage, beat(1, NOW - 1)])
    with tables.transaction() as tx:
        tx.execute("INSERT INTO answered (source, run, at, by_user) VALUES (1, ?, 0, 'sam')", RUN)
    done = forget_instance(stores, 1, ADA)
    assert (done.events, done.runs, done.requests, done.instances) == (44, 1, 1, 1)
    for table in TABLES:
        keyed = [name for name, kind, _ in table.columns if kind == "bytes" and name != "packed_slots"]
        for name in keyed:
            assert not tables.all(f"SELECT 1 FROM {table.name} WHERE {name} IN (?, ?)", ADA, RUN), table.name
    assert tables.all("SELECT * FROM answered") == []
    assert counted(tables) == recount([beat(1, NOW - 1)])
    assert tables.all("SELECT SUM(n) FROM daily") == [(1,)]


def test_what_arrives_during_the_search_is_forgotten_too(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.events.keep([beat(0, NOW - 10)])
    search, late = forgetting._search, [beat(0, NOW - 5), beat(0, NOW - 6)]

    def slow(*arguments: object) -> object:
        found = search(*arguments)  # type: ignore[arg-type]
        stores.events.keep([late.pop()] if late else [])
        return found

    monkeypatch.setattr(forgetting, "_search", slow)
    assert forget_instance(stores, 1, ADA).events == 3
    late += [beat(0, NOW - n) for n in range(20, 21 + TRIES)]
    stores.events.keep([beat(0, NOW - 40)])
    with pytest.raises(StoreUnavailable):
        forget_instance(stores, 1, ADA)


def test_the_json_of_a_run_is_read_some_at_a_time(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a write key makes a run of any number, and has another instance of it forgotten.

    And the run is not looked through for each of these times: nobody else writes meanwhile.
    """
    with tables.transaction() as tx:
        kind: Any = type(tx)
    read, sizes, looks = kind.all, list[int](), list[int]()

    def noting(self: object, sql: str, *values: object) -> list[Any]:
        found: list[Any] = read(self, sql, *values)
        if "body" in sql:
            sizes.append(len(found))
        elif "run = ?" in sql:
            looks.append(len(found))
        return found

    monkeypatch.setattr(kind, "all", noting)
    monkeypatch.setattr(forgetting, "FOUND_AT_ONCE", 4)
    monkeypatch.setattr(forgetting, "TOLD_AT_ONCE", 2)
    left = [
        of_run(name, BOB, NOW - ago, Fact(version="1")) for ago in (9, 8, 7) for name in (STARTED, ERRORS)
    ]
    gone = of_run(SUPPORT, ADA, NOW - 5, Fact(email="ada@example.org", reference="01234567"))
    stores.events.keep([*left, gone])
    assert forget_instance(stores, 1, ADA).events == 1
    assert counted(tables) == recount(left)
    assert (looks, sizes) == ([4, 2, 0], [2, 2, 2])


def test_counters_that_have_expired_do_not_come_back_below_zero(stores: Stores, tables: Database) -> None:
    stores.events.keep([of_run(STARTED, ADA, NOW - 9, Fact(version="1")), beat(0, NOW)])
    stores.events.fold()
    with tables.transaction() as tx:
        for table in ("daily", "active", "outcomes", "cohorts", "retention", "words"):
            tx.execute(f"DELETE FROM {table}")
    assert forget_instance(stores, 1, ADA).events == 2
    for table in ("daily", "outcomes", "cohorts", "retention", "words"):
        assert tables.all(f"SELECT * FROM {table}") == []


def test_the_files_of_sqlite_have_nothing_of_it(tmp_path: Path) -> None:
    with closing(open_stores(f"sqlite:///{tmp_path}/c.db")) as stores:
        secret, other = "words of an instance", "words of another"
        for who, text in ((ADA, secret), (BOB, other)):
            body = json.dumps({"properties": {"said": [text] * 500}})
            stores.events.keep(
                [of_run(ERRORS, who, NOW - ord(text[-1]), Fact(script=text))._replace(body=body, run=who)]
            )
        assert in_files(tmp_path, secret) > 500
        forget_instance(stores, 1, ADA)
        assert in_files(tmp_path, secret) == len(
            stores.control.all("SELECT 1 FROM words WHERE word LIKE ?", f"{secret}%")
        )
        assert in_files(tmp_path, other) > 500


def in_files(folder: Path, text: str) -> int:
    return sum(file.read_bytes().count(text.encode()) for file in folder.iterdir())

"""The lists of instances by state, however the instances lie among each other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from collector.base.times import DAY_MS
from collector.store import Stores, schema
from collector.store.database import Database
from collector.store.fleet import GONE_MS, SILENT_MS, Instance, InstanceFilter, InstancesEnd
from collector.store.rows import instance_row
from collector.store.sql import instances
from tests.collector.store.contract.answers import STATES
from tests.collector.store.contract.history import NOW, SOURCE, TODAY

FIRST, LAST = TODAY - 20, TODAY
SINCE, UNTIL = FIRST * DAY_MS, (LAST + 1) * DAY_MS
AGES = (
    0,
    1,
    SILENT_MS - 1,
    SILENT_MS,
    SILENT_MS + 1,
    5 * DAY_MS,
    GONE_MS - 1,
    GONE_MS,
    GONE_MS + 1,
    90 * DAY_MS,
)


def made_fleet() -> list[Instance]:
    """Instances with their last heartbeat at each age, seen then or later, and since long or short."""
    chance = random.Random(1)
    fleet = []
    for beat in (*AGES, None):
        for seen in AGES:
            for lasted in (0, DAY_MS, DAY_MS + 1, 25 * DAY_MS):
                if beat is None or seen <= beat:
                    last = NOW - seen
                    one = Instance(SOURCE, chance.randbytes(16), last - lasted, last)
                    one.last_beat = None if beat is None else NOW - beat
                    fleet.append(one)
    return fleet


EVERY: InstancesEnd = (2**62, b"")


def is_in(one: Instance, state: str) -> bool:
    return {
        "all": True,
        "active": one.established and one.state(NOW) in ("beating", "silent"),
        "active 7d": one.established and (one.last_beat or 0) > NOW - 7 * DAY_MS,
        "active 24h": one.established and (one.last_beat or 0) > NOW - DAY_MS,
        "never": one.established and one.last_beat is None,
        "short-lived": not one.established,
        "new": one.established and SINCE <= one.first_seen < UNTIL,
        "returning": one.established and one.first_seen < SINCE <= one.last_seen,
    }.get(state, one.established and one.state(NOW) == state)


def pages_of(
    stores: Stores, state: str, most: int, *, oldest_first: bool = False
) -> Iterator[list[Instance]]:
    end: InstancesEnd | None = (-1, b"") if oldest_first else EVERY
    while end is not None:
        ends = (EVERY, most, end) if oldest_first else (end, most, None)
        page, end = stores.events.list_instances(SOURCE, InstanceFilter(state), FIRST, LAST, NOW, *ends)
        assert len(page) <= most
        yield page


def add(tables: Database, fleet: list[Instance]) -> None:
    with tables.transaction() as tx:
        tx.upsert(schema.INSTANCES, [instance_row(one) for one in fleet])


@pytest.mark.parametrize("state", STATES)
def test_a_list_has_each_instance_of_its_state_once_in_the_order_of_last_seen(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    fleet = made_fleet()
    add(tables, fleet)
    wanted = sorted((one.last_seen, one.id) for one in fleet if is_in(one, state))[::-1]
    assert wanted
    for most, searched in ((500, 50_000), (7, 50_000), (7, 3), (1, 2)):
        monkeypatch.setattr(instances, "SEARCHED", searched)
        for oldest_first in (False, True):
            pages = pages_of(stores, state, most, oldest_first=oldest_first)
            listed = [(one.last_seen, one.id) for page in pages for one in page]
            assert listed == (wanted[::-1] if oldest_first else wanted), (most, searched, oldest_first)


@pytest.mark.parametrize("state", ["silent", "gone", "never", "short-lived"])
def test_a_few_are_found_at_once_behind_many_others(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """The search is of ten; a hundred that are well were seen later."""
    few = [one for one in made_fleet() if is_in(one, state) and one.last_seen < NOW - 12 * 3_600_000]
    add(tables, few[:3])
    well = [Instance(SOURCE, bytes([n]) * 16, NOW - 40 * DAY_MS, NOW - n, NOW - n) for n in range(100)]
    add(tables, well)
    monkeypatch.setattr(instances, "SEARCHED", 10)
    found = next(pages_of(stores, state, 50))
    assert {one.id for one in found} == {one.id for one in few[:3]}
    assert [len(page) for page in pages_of(stores, "beating", 50)][:2] == [10, 10]


def test_only_a_page_that_is_not_full_looks_for_the_end_of_its_search(
    stores: Stores, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That walks through the whole search."""
    add(tables, made_fleet())
    asked: list[str] = []
    plain = tables.rows

    def rows(sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        asked.append(sql)
        return plain(sql, *values)

    monkeypatch.setattr(tables, "rows", rows)
    pages = pages_of(stores, "beating", 7)
    assert len(next(pages)) == 7
    assert not [sql for sql in asked if "OFFSET" in sql]
    list(pages)
    assert [sql for sql in asked if "OFFSET" in sql]

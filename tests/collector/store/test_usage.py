"""What an event is said to take is at least what it takes on the disk, whatever it holds."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from collector.base.ids import uuid_of
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.store import Stores
from collector.store.database import Database
from collector.store.usage import HOUR_MS, bytes_left, stored_bytes
from tests.collector.store.test_rollups import NOW

FIRST, MORE = 400, 1600
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"


class Stranger:
    """Makes events that nothing can compress."""

    def __init__(self) -> None:
        self._chance = random.Random(1)

    def id(self) -> str:
        return "".join(self._chance.choices(LETTERS, k=36))

    def text(self, length: int, *, wide: bool = False) -> str:
        if wide:
            return "".join(chr(self._chance.randrange(0x10000, 0x10FFFF)) for _ in range(length))
        return "".join(self._chance.choices(LETTERS, k=length))

    def event(self, name: str, ago: int = 0, **fields: Any) -> dict[str, Any]:
        ids = {"messageId": self.id(), "anonymousId": self.id()}
        return {"type": "track", "event": name, **ids, "timestamp": write_time(NOW - ago), **fields}

    def uuid(self, version: int) -> str:
        return uuid_of(self._chance.randbytes(16), version)

    def beat(self, who: str, ago: int) -> dict[str, Any]:
        """As the agent sends it."""
        made = NOW - ago
        return {
            "type": "track",
            "event": "Instance Active",
            "anonymousId": who,
            "messageId": uuid_of(made.to_bytes(6, "big") + self._chance.randbytes(10), 7),
            "timestamp": write_time(made),
            "context": {"library": {"name": "rollcall", "version": "0.1.0"}, "ip": "0.0.0.0"},
            "integrations": {},
            "properties": {"instanceId": who},
        }

    def failure(self, length: int, ago: int = 0, *, wide: bool = False) -> dict[str, Any]:
        def text() -> str:
            return self.text(length, wide=wide)

        context = {"app": {"version": text()}, "os": {"name": text(), "version": text()}}
        place = {"script": text(), "command": text(), "signal": text(), "reason": text(), "line": 7}
        context["installation"] = {"id": self.id()}
        return self.event("Installation Errors", ago, context=context, properties=place)


Make = Callable[[Stranger, int], dict[str, Any]]
SHAPES: dict[str, Make] = {
    "heartbeats of one instance": lambda s, _: {**s.event("Instance Active"), "anonymousId": "one"},
    "heartbeats of new instances": lambda s, _: s.event("Instance Active"),
    "heartbeats of the agent": lambda s, n: s.beat("0193a2b4-1111-4222-8333-444455556666", n),
    "heartbeats of new instances of the agent": lambda s, n: s.beat(s.uuid(4), n),
    "heartbeats of the agent on many days": lambda s, n: s.beat(s.uuid(4), n % 7 * DAY_MS),
    "the smallest heartbeats": lambda s, n: {
        "type": "track",
        "event": "Instance Active",
        "messageId": s.id()[:8],
        "anonymousId": str(n),
    },
    "heartbeats with a history of 16 years": lambda s, n: {
        **s.event("Instance Active", 0 if n % 2 else 5900 * DAY_MS),
        "anonymousId": str(n // 2),
    },
    "a heartbeat of each day": lambda s, n: s.event("Instance Active", n * DAY_MS),
    "nothing but an id": lambda s, _: {"type": "identify", "messageId": s.id()},
    "long names": lambda s, _: s.event(s.text(200)),
    "long names on new days": lambda s, n: s.event(s.text(200, wide=True), n * DAY_MS),
    "failures at short places": lambda s, _: s.failure(7),
    "failures at places of some length": lambda s, _: s.failure(50),
    "failures at long places": lambda s, _: s.failure(100, wide=True),
    "failures at longer places than are counted": lambda s, _: s.failure(200, wide=True),
    "failures at long places on new days": lambda s, n: s.failure(200, n * DAY_MS),
    "one to a page": lambda s, _: s.event("x", p=s.text(1850)),
    "two to a page": lambda s, _: s.event("x", p=s.text(1200)),
    "the largest": lambda s, _: s.event("x", p=s.text(32_000)),
}


def disk(tables: Database) -> int:
    if tables.dialect == "sqlite":
        tables.all("PRAGMA wal_checkpoint(TRUNCATE)")
        pages: int = tables.all("PRAGMA page_count")[0][0]
        return 4096 * pages
    sql = "SELECT SUM(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r'"
    sql += " AND relname !~ '^(pg_|sql_)'"
    return int(tables.all(sql)[0][0])


@pytest.mark.parametrize("shape", SHAPES)
def test_an_event_takes_no_more_of_the_disk_than_it_is_counted_with(
    stores: Stores, tables: Database, shape: str
) -> None:
    stranger, make = Stranger(), SHAPES[shape]
    sizes: list[tuple[int, int]] = []
    counted = 0
    for end in (FIRST, FIRST + MORE):
        for number in range(end - (FIRST if end == FIRST else MORE), end, 100):
            sent = [make(stranger, n) for n in range(number, number + 100)]
            events = [decode.read_event(one, "", 1, NOW, write_time(NOW), key=1) for one in sent]
            counted += sum(map(stored_bytes, events))
            stores.events.keep(events)
            while stores.events.fold():
                pass
        sizes.append((disk(tables), counted))
    grown, counted = (after - before for before, after in zip(*sizes, strict=True))
    assert 0 < grown < counted
    (used,) = tables.all("SELECT SUM(bytes) FROM usage WHERE key = 1 AND hour = ?", NOW // HOUR_MS)
    assert int(used[0]) == sizes[-1][1]


def test_half_of_a_days_bytes_come_at_once_and_no_more_than_all_in_24_hours() -> None:
    daily, minute = 96_000, 60_000
    used: dict[int, int] = {}
    taken: list[tuple[int, int]] = []
    for now in range(NOW, NOW + 4 * DAY_MS, minute):
        left = int(bytes_left(used, now, daily))
        if left > 0:
            used[now // HOUR_MS] = used.get(now // HOUR_MS, 0) + left
            taken.append((now, left))
    assert taken[0] == (NOW, daily // 2)
    assert sum(size for _, size in taken) > 4 * daily // 2
    for until, _ in taken:
        assert sum(size for at, size in taken if until - DAY_MS < at <= until) <= daily


def test_what_was_not_used_is_there_again_after_a_day() -> None:
    hour = NOW // HOUR_MS
    assert bytes_left({hour - 26: 1_000_000}, NOW, 1000) < 0
    assert bytes_left({hour - 26: 500}, NOW, 1000) == 500
    assert bytes_left({hour - 12: 500}, NOW, 1000) == pytest.approx(250, abs=30)

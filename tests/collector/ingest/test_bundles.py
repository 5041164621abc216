"""POST /v1/bundles: a sealed bundle arrives whole, once, and within bounds; and goes when it has to."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
from jwcrypto import jwk

from agent.bundle.seal import Seal
from collector.admin.keys import add_key
from collector.base.http import Refused
from collector.base.ids import key_of
from collector.base.sealed import MAX_SEALED
from collector.base.times import DAY_MS
from collector.ingest.allowance import Allowance
from collector.ingest.bundles import (
    INSTANCE,
    MAX_PART,
    MEMORY,
    PATH,
    RUN,
    BundleIntake,
    read_query,
)
from collector.ingest.disk import DiskGuard, DiskWatch
from collector.ingest.keyring import KeyRing
from collector.ingest.metrics import Metrics
from collector.settings import read_settings
from collector.store import Stores, bundles, open_stores
from collector.store.bundles import LEAST_COUNTED, MOST_OF_INSTANCE, NewBundle, NoSpace
from collector.store.deletion import expire_events, forget_instance, remove_events
from collector.store.values import Cutoffs
from tests.collector.running import Collector, Reply, basic
from tests.wait import PATIENCE

KEY = jwk.JWK.generate(kty="OKP", crv="X25519")
ADA = "11111111-1111-4111-8111-111111111111"
THE_RUN = "33333333-3333-4333-8333-333333333333"
Start = Callable[..., Collector]


def sealed(data: bytes = b"x") -> bytes:
    return Seal(KEY.export_public()).seal(data)


def send(collector: Collector, data: bytes, offset: int = 0, body: bytes | None = None, **more: Any) -> Reply:
    """One part of `data`: the next MAX_PART bytes, unless it is given."""
    part = data[offset : offset + MAX_PART] if body is None else body
    key = more.pop("key", None)
    headers = {INSTANCE: more.pop("instance", ADA), RUN: more.pop("run", "")}
    asked = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "offset": offset}
    return collector.post(f"{PATH}?{urlencode({**asked, **more})}", part, key=key, **headers)


def test_a_bundle_goes_on_where_it_was_when_the_server_was_killed(start: Start, database: str) -> None:
    collector = start(database)
    data = sealed(b"a log" * 100_000)
    assert send(collector, data).json() == {"success": True, "received": MAX_PART, "complete": False}
    collector.kill()
    collector.start()
    assert send(collector, data, body=b"").json()["received"] == MAX_PART
    wrong = send(collector, data, 0)
    assert (wrong.status, wrong.json()["code"], wrong.json()["received"]) == (409, "offset", MAX_PART)
    done = send(collector, data, MAX_PART)
    while not done.json()["complete"]:
        done = send(collector, data, done.json()["received"])
    again = send(collector, data, 0)
    assert again.json() == {"success": True, "received": len(data), "complete": True}


def test_only_whole_bundles_of_known_keys_are_stored(collector: Collector) -> None:
    data = sealed(b"x" * 1000)
    assert send(collector, data, key="nobody's").status == 401
    assert send(collector, data, key="").status == 401
    assert send(collector, b"plain text" * 100).json()["code"] == "not_sealed"
    assert send(collector, data, body=data[:-1] + b" ").json()["code"] == "not_sealed"
    assert send(collector, data, body=data[:-1] + b"B").json()["code"] == "bad_hash"
    assert send(collector, data, body=b"").json()["received"] == 0
    assert send(collector, data, body=data + b"A").json()["code"] == "not_sealed"
    assert send(collector, data, len(data) + 7, body=b"A").status == 409
    assert send(collector, data, body=data[:500]).json()["code"] == "short_part"
    assert send(collector, data, size=MAX_SEALED + 1).status == 413
    assert send(collector, data, body=b"A" * (MAX_PART + 1)).status == 413
    assert send(collector, data, run=THE_RUN).json()["complete"] is True


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("sha256", "aa"),
        ("size", "x"),
        ("size", "0"),
        ("size", "-1"),
        ("offset", "-1"),
        ("instance", ADA),
        ("run", ""),
    ],
)
def test_a_query_that_is_wrong_is_refused(name: str, wrong: str) -> None:
    good = {"sha256": "a" * 64, "size": "9", "offset": "3"}
    new, offset = read_query(urlencode(good).encode(), ADA, "")
    assert (new.size, new.run, offset) == (9, None, 3)
    with pytest.raises(Refused, match="must"):
        read_query(urlencode({**good, name: wrong}).encode(), ADA, "")
    for instance, run in (("", ""), ("a" * 201, ""), (ADA, "a" * 201)):
        with pytest.raises(Refused, match="Rollcall-Instance"):
            read_query(urlencode(good).encode(), instance, run)


def test_a_bundle_keeps_the_size_that_was_named_first(collector: Collector) -> None:
    data = sealed(b"a log" * 100_000)
    assert send(collector, data).json()["received"] == MAX_PART
    for body in (b"", data[MAX_PART : 2 * MAX_PART]):
        other = send(collector, data, MAX_PART, body=body, size=MAX_PART)
        assert (other.status, other.json()["code"]) == (409, "other_size")
    assert send(collector, data, MAX_PART).json()["received"] == 2 * MAX_PART, "nothing was deleted"


def test_a_part_that_is_refused_takes_nothing_of_its_address(collector: Collector) -> None:
    collector.stop()
    collector.settings["ROLLCALL_COLLECTOR_BUNDLES"] = str(LEAST_COUNTED * 3)
    collector.start()
    data = sealed(b"x")
    assert send(collector, data, body=data[:-1] + b"B").json()["code"] == "bad_hash"
    assert send(collector, data).json()["complete"] is True
    assert send(collector, sealed(b"y")).status == 429


class Shelf:
    """A source with bundles in a store."""

    def __init__(self, stores: Stores) -> None:
        self.stores, self.control = stores, stores.control

    def put(self, text: bytes, *, who: str = ADA, key: int = 1, now: int = 0, room: int = 10**7) -> bytes:
        data = sealed(text)
        name = hashlib.sha256(data).digest()
        bundles.begin_bundle(
            self.control, NewBundle(1, name, key, key_of(who), key_of(THE_RUN), len(data)), room, now
        )
        half = len(data) // 2
        assert bundles.add_part(self.control, 1, name, 0, data[:half])
        assert bundles.add_part(self.control, 1, name, half, data[half:])
        assert bundles.finish_bundle(self.control, 1, name, now)
        assert b"".join(bundles.bundle_parts(self.control, 1, name)) == data
        return name

    def names(self) -> set[bytes]:
        found = {one.id for one in bundles.stored_bundles(self.control, 1)}
        parts = {bytes(name) for (name,) in self.control.all("SELECT DISTINCT id FROM bundle_parts")}
        assert parts == found
        return found


def test_a_bundle_goes_with_its_instance_its_key_and_its_time(stores: Stores) -> None:
    shelf = Shelf(stores)
    hers, his = shelf.put(b"a"), shelf.put(b"b", who="bob", key=2)
    old, late = shelf.put(b"c", who="c", now=DAY_MS), shelf.put(b"d", who="d", now=3 * DAY_MS)
    assert shelf.names() == {hers, his, old, late}
    assert forget_instance(stores, 1, key_of(ADA)).bundles == 1
    assert shelf.names() == {his, old, late}
    remove_events(stores, 2, 0, DAY_MS, lambda _: None)
    assert shelf.names() == {old, late}
    assert expire_events(stores, Cutoffs(bundles=2 * DAY_MS), 0, lambda _: None).bundles == 1
    assert shelf.names() == {late}


def test_an_instance_and_a_source_have_no_more_than_their_room(stores: Stores) -> None:
    shelf = Shelf(stores)
    for number in range(MOST_OF_INSTANCE):
        shelf.put(b"%d" % number)
    with pytest.raises(NoSpace, match="this instance"):
        shelf.put(b"one more")
    with pytest.raises(NoSpace, match="this source"):
        shelf.put(b"a", who="bob", room=LEAST_COUNTED * (MOST_OF_INSTANCE + 1) - 1)
    shelf.put(b"a", who="bob", room=LEAST_COUNTED * (MOST_OF_INSTANCE + 1))
    large = NewBundle(1, b"l" * 32, 1, key_of("eve"), None, LEAST_COUNTED + 1)
    with pytest.raises(NoSpace, match="this source"):
        bundles.begin_bundle(stores.control, large, LEAST_COUNTED * (MOST_OF_INSTANCE + 2), 0)


def test_what_never_came_whole_makes_way_after_a_day(stores: Stores) -> None:
    def begin(name: bytes, now: int) -> None:
        bundles.begin_bundle(
            stores.control, NewBundle(1, name, 1, key_of(ADA), None, 100), LEAST_COUNTED, now
        )

    begin(b"a" * 32, 0)
    assert bundles.add_part(stores.control, 1, b"a" * 32, 0, b"abc")
    with pytest.raises(NoSpace):
        begin(b"b" * 32, DAY_MS)
    begin(b"b" * 32, DAY_MS + 1)
    assert stores.control.all("SELECT COUNT(*) FROM bundle_parts") == [(0,)]


def test_one_address_has_a_part_of_a_sources_room(collector: Collector) -> None:
    collector.stop()
    collector.settings["ROLLCALL_COLLECTOR_BUNDLES"] = str(LEAST_COUNTED * 3)
    collector.start()

    def first_part(number: int) -> Reply:
        return send(collector, sealed(b"x%d" % number), instance=f"i{number}")

    with ThreadPoolExecutor(8) as at_once:
        replies = list(at_once.map(first_part, range(8)))
    assert [reply.status for reply in replies].count(200) == 1
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.json()["message"].startswith("this address")
    assert int(refused.headers["Retry-After"]) > 60
    assert collector.post("/v1/track", {"event": "e", "userId": "u"}).status == 200, "events have their own"
    collector.stop()
    collector.settings["ROLLCALL_COLLECTOR_BUNDLES"] = "0"
    collector.start()
    assert send(collector, sealed()).status == 404


def test_a_bundle_whose_last_part_came_before_a_kill_is_shown_at_the_next_question(
    collector: Collector,
) -> None:
    data = sealed(b"x" * 1000)
    stores = open_stores(collector.database)
    (source,) = stores.control.all("SELECT id FROM sources WHERE name = 'test'")[0]
    new = NewBundle(source, hashlib.sha256(data).digest(), 1, key_of(ADA), None, len(data))
    bundles.begin_bundle(stores.control, new, 10**6, int(time.time() * 1000))
    bundles.add_part(stores.control, source, new.id, 0, data)
    assert bundles.stored_bundles(stores.control, source) == []
    assert send(collector, data, body=b"").json() == {
        "success": True,
        "received": len(data),
        "complete": True,
    }
    assert [one.id for one in bundles.stored_bundles(stores.control, source)] == [new.id]
    stores.close()


def test_a_part_counts_as_memory_until_it_is_stored(stores: Stores) -> None:
    key = basic(add_key(stores.control, "test", 0)).encode()
    fit, more = MEMORY // 2 // MAX_PART, 3
    settings = read_settings({})
    disk = DiskWatch(settings, stores.events)

    async def crowd() -> tuple[list[int], list[int]]:
        ring = KeyRing(stores, time.monotonic, PATIENCE)
        allowance = Allowance(settings, time.time, time.monotonic)
        intake = BundleIntake(settings, stores.control, ring, Metrics(), allowance, DiskGuard(disk))

        async def send_first_part(number: int) -> int:
            statuses: list[int] = []
            data = sealed(b"%d" % number) + b"A" * MAX_PART
            query = urlencode({"sha256": f"{number:064}", "size": len(data), "offset": 0})

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": data[:MAX_PART]}

            async def answer(message: Mapping[str, Any]) -> None:
                statuses.extend([message["status"]] if "status" in message else [])

            headers = [(b"authorization", key), (INSTANCE.lower().encode(), b"%d" % number)]
            scope = {"method": "POST", "headers": headers, "query_string": query.encode()}
            await intake(scope, receive, answer)
            return statuses[0]

        at_once = asyncio.as_completed(map(send_first_part, range(fit + more)), timeout=PATIENCE)
        async with intake._turn:
            refused = [await next(at_once) for _ in range(more)]
        return refused, [await one for one in at_once]

    answered = asyncio.run(crowd())
    disk.stop()  # before the store is closed
    assert answered == ([503] * more, [200] * fit)

"""POST /v1/bundles: a sealed bundle arrives whole, once, and within bounds; and goes when it has to."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from jwcrypto import jwk

from agent.bundle.seal import Seal
from collector.base.http import Refused
from collector.base.ids import key_of
from collector.base.times import DAY_MS
from collector.ingest.bundles import MAX_PART, MAX_SEALED, PATH, read_query
from collector.store import Stores, bundles, open_stores
from collector.store.bundles import MOST_OF_INSTANCE, NewBundle, NoSpace
from collector.store.deletion import expire_events, forget_instance, remove_events
from collector.store.values import Cutoffs
from tests.collector.running import Collector, Reply

KEY = jwk.JWK.generate(kty="OKP", crv="X25519")
ADA = "11111111-1111-4111-8111-111111111111"
RUN = "33333333-3333-4333-8333-333333333333"
Start = Callable[..., Collector]


def sealed(data: bytes = b"x") -> bytes:
    return Seal(KEY.export_public()).seal(data)


def send(collector: Collector, data: bytes, offset: int = 0, body: bytes | None = None, **more: Any) -> Reply:
    """One part of `data`: the next MAX_PART bytes, unless it is given."""
    part = data[offset : offset + MAX_PART] if body is None else body
    key = more.pop("key", None)
    asked = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "offset": offset, "instance": ADA}
    return collector.post(f"{PATH}?{urlencode({**asked, **more})}", part, key=key)


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
    assert send(collector, data, body=data[:-1] + b"A").json()["code"] == "bad_hash"
    assert send(collector, data, body=b"").json()["received"] == 0
    assert send(collector, data, body=data + b"A").json()["code"] == "not_sealed"
    assert send(collector, data, len(data) + 7, body=b"A").status == 409
    assert send(collector, data, size=MAX_SEALED + 1).status == 413
    assert send(collector, data, body=b"A" * (MAX_PART + 1)).status == 413
    assert send(collector, data, run=RUN).json()["complete"] is True


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("sha256", "aa"),
        ("size", "x"),
        ("size", "0"),
        ("size", "-1"),
        ("offset", "-1"),
        ("instance", ""),
        ("instance", "a" * 201),
        ("run", "a" * 201),
    ],
)
def test_a_query_that_is_wrong_is_refused(name: str, wrong: str) -> None:
    good = {"sha256": "a" * 64, "size": "9", "offset": "3", "instance": "a"}
    new, offset = read_query(urlencode(good).encode())
    assert (new.size, new.run, offset) == (9, None, 3)
    with pytest.raises(Refused, match="must"):
        read_query(urlencode({**good, name: wrong}).encode())


class Shelf:
    """A source with bundles in a store."""

    def __init__(self, stores: Stores) -> None:
        self.stores, self.control = stores, stores.control

    def put(self, text: bytes, *, who: str = ADA, key: int = 1, now: int = 0, room: int = 10**6) -> bytes:
        data = sealed(text)
        name = hashlib.sha256(data).digest()
        bundles.begin_bundle(
            self.control, NewBundle(1, name, key, key_of(who), key_of(RUN), len(data)), room, now
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
    size = len(sealed(b"a"))
    with pytest.raises(NoSpace, match="this source"):
        shelf.put(b"a", who="bob", room=size * (MOST_OF_INSTANCE + 1) - 1)
    shelf.put(b"a", who="bob", room=size * (MOST_OF_INSTANCE + 1))


def test_what_never_came_whole_makes_way_after_a_day(stores: Stores) -> None:
    def begin(name: bytes, now: int) -> None:
        bundles.begin_bundle(stores.control, NewBundle(1, name, 1, key_of(ADA), None, 100), 100, now)

    begin(b"a" * 32, 0)
    assert bundles.add_part(stores.control, 1, b"a" * 32, 0, b"abc")
    with pytest.raises(NoSpace):
        begin(b"b" * 32, DAY_MS)
    begin(b"b" * 32, DAY_MS + 1)
    assert stores.control.all("SELECT COUNT(*) FROM bundle_parts") == [(0,)]


def test_one_address_has_a_part_of_a_sources_room(collector: Collector) -> None:
    collector.stop()
    collector.settings["ROLLCALL_COLLECTOR_BUNDLES"] = "4000"
    collector.start()
    first = send(collector, sealed(b"x" * 800))
    assert first.json()["complete"] is True
    refused = send(collector, sealed(b"y" * 10), instance="other")
    assert (refused.status, refused.json()["code"]) == (429, "quota")
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

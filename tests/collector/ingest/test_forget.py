"""POST /v1/forget and `instances delete`: what they answer, and what they refuse."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest

from collector.base.http import Refused
from collector.base.ids import key_of
from collector.ingest import forget
from collector.ingest.allowance import SEARCH_SECONDS, SEARCH_SHARE, Allowance
from collector.ingest.forget import LONGEST_ID, MOST_OF_PEER, MOST_PEERS, Forgetting
from collector.ingest.keyring import WriteKey
from collector.settings import PREFIX, read_settings
from collector.store import Stores
from collector.store.values import Forgotten
from tests.collector.cluster import Cluster
from tests.collector.conftest import BOTH, new_database
from tests.collector.running import Collector, event
from tests.collector.store.contract.conftest import DEBIANS
from tests.wait import PATIENCE, until

ADA, BOB = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
KEY = WriteKey(7, 1, "web", None, None, {})
NOTHING = {"instances": 0, "events": 0, "runs": 0, "requestsForHelp": 0, "bundles": 0}
FLOOD = 25
Start = Callable[..., Collector]


def story(who: str) -> list[dict[str, Any]]:
    """A failed install that asks for help, two heartbeats, a usage event."""
    run = {"installation": {"id": f"run of {who}"}, "app": {"name": "acme", "version": "1"}}
    return [
        event(event="Installation Started", anonymousId=who, context=run),
        event(event="Installation Errors", anonymousId=who, context=run, properties={"reason": "exit"}),
        event(
            event="Installation Support", anonymousId=who, context=run, properties={"email": "a@example.org"}
        ),
        *(event(event="Instance Active", anonymousId=who, properties={"instanceId": who}) for _ in range(2)),
        event(event="Something Used", anonymousId=who),
    ]


@pytest.fixture(params=[*BOTH, DEBIANS])
def anywhere(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Collector:
    """A running collector, once for each kind of event store."""
    if request.param == "clickhouse":
        events = request.getfixturevalue("clickhouse").database()
        return start(f"sqlite:///{tmp_path}/collector.db", ROLLCALL_COLLECTOR_EVENTS=events)
    return start(new_database(request, tmp_path))


def test_the_receipt_says_what_was_deleted_and_the_others_stay(anywhere: Collector) -> None:
    """And an export after the receipt holds no byte of the id."""
    collector = anywhere
    hers, his = story(ADA), story(BOB)
    assert collector.post("/v1/batch", {"batch": hers + his}).status == 200
    assert {ADA, BOB} == {who for who in (ADA, BOB) if who in json.dumps(collector.export())}
    receipt = collector.post("/v1/forget", {"instanceId": ADA}).json()
    assert receipt["success"] is True
    assert {BOB} == {who for who in (ADA, BOB) if who in json.dumps(collector.export())}
    assert receipt["instanceId"] == ADA
    assert receipt["deleted"] == {"instances": 1, "events": 6, "runs": 1, "requestsForHelp": 1, "bundles": 0}
    keys = sorted(key_of(one["messageId"]) for one in hers)
    assert receipt["digest"] == "sha256:" + sha256(b"".join(keys)).hexdigest()
    assert sorted(e["messageId"] for e in collector.export()) == sorted(e["messageId"] for e in his)
    again = collector.post("/v1/forget", {"instanceId": ADA})
    assert (again.status, again.json()["deleted"]) == (200, NOTHING)
    assert set(again.json()) == set(receipt)


def test_a_key_forgets_in_its_own_source_alone(start: Start, database: str) -> None:
    collector = start(database)
    collector.post("/v1/batch", {"batch": story(ADA)})
    other = collector.verb("keys", "add", "other").stdout.strip()
    assert (
        collector.post("/v1/forget", {"instanceId": ADA, "writeKey": other}, key="").json()["deleted"]
        == NOTHING
    )
    for key in ("", "wrong"):
        refused = collector.post("/v1/forget", {"instanceId": ADA}, key=key)
        assert (refused.status, refused.json()["code"]) == (401, "bad_key")
    assert len(collector.export()) == 6


@pytest.mark.parametrize(
    "wrong", [{}, {"instanceId": ""}, {"instanceId": 7}, {"instanceId": "x" * (LONGEST_ID + 1)}]
)
def test_a_request_that_names_no_instance_is_refused(running: Collector, wrong: dict[str, Any]) -> None:
    refused = running.post("/v1/forget", wrong)
    assert (refused.status, refused.json()["code"]) == (400, "no_instance")
    assert running.post("/v1/forget", b"[1]").json()["code"] == "bad_json"
    assert running.get("/v1/forget").status == 405


def test_whoever_comes_back_is_counted_anew(start: Start, database: str) -> None:
    collector = start(database)
    sent = story(ADA)
    collector.post("/v1/batch", {"batch": sent})
    collector.post("/v1/forget", {"instanceId": ADA})
    assert collector.post("/v1/batch", {"batch": sent}).status == 200
    assert collector.post("/v1/forget", {"instanceId": ADA}).json()["deleted"]["events"] == 6
    assert collector.export() == []


class Searches:
    """What stands in for the search: it waits at a gate, and takes so many seconds of a clock."""

    def __init__(self, stores: Stores, monkeypatch: pytest.MonkeyPatch, rate: str = "100") -> None:
        self.gate, self.seconds, self.now = threading.Event(), 0.0, 0.0
        self.working, self.most, self.searched = 0, 0, list[bytes]()
        settings = read_settings({"HOME": "/x", f"{PREFIX}PEER_RATE": rate})
        self.allowance = Allowance(settings, float, lambda: self.now)
        self.forgetting = Forgetting(stores, self.allowance, float, lambda: self.now)
        monkeypatch.setattr(forget, "forget_instance", self._search)

    def _search(self, _: Stores, __: int, who: bytes) -> Forgotten:
        self.working += 1
        self.most = max(self.most, self.working)
        self.gate.wait(PATIENCE)
        self.searched.append(who)
        self.now += self.seconds
        self.working -= 1
        return Forgotten()

    async def ask(self, peer: str, who: str = ADA) -> int | str:
        """The status of the answer, or the code of the refusal."""
        try:
            body = json.dumps({"instanceId": who}).encode()
            return (await self.forgetting.answer(1, peer, body)).status
        except Refused as refused:
            return refused.code if refused.retry else "no time to try again"


def test_addresses_take_turns_and_only_so_many_wait(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    searches = Searches(stores, monkeypatch)

    async def crowd() -> None:
        waiting = [asyncio.ensure_future(searches.ask("a", f"a {number}")) for number in range(MOST_OF_PEER)]
        waiting += [asyncio.ensure_future(searches.ask(f"b {n}", f"b {n}")) for n in range(1, MOST_PEERS)]
        await asyncio.sleep(0)
        assert await searches.ask("a") == "rate_limited"
        assert await searches.ask("one more") == "busy"
        searches.gate.set()
        assert set(await asyncio.gather(*waiting)) == {200}
        assert await searches.ask("one more") == await searches.ask("a") == 200

    asyncio.run(crowd())
    assert searches.most == 1
    order = ["a 0", *(f"b {number}" for number in range(1, MOST_PEERS))]
    order += [f"a {number}" for number in range(1, MOST_OF_PEER)]
    assert searches.searched[: len(order)] == [key_of(who) for who in order]


def test_an_address_has_a_share_of_the_time_and_another_has_its_own(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = Searches(stores, monkeypatch)
    searches.gate.set()
    searches.seconds = SEARCH_SECONDS

    async def ask(peer: str) -> int | str:
        return await searches.ask(peer)

    assert asyncio.run(ask("a")) == 200
    assert asyncio.run(ask("a")) == "rate_limited"
    assert [asyncio.run(ask(peer)) for peer in ("b", "c", "d")] == [200] * 3
    assert 3 * SEARCH_SECONDS * SEARCH_SHARE > 1
    assert asyncio.run(ask("a")) == 200
    searches.allowance.check_peer("a")  # it may send events
    searches.allowance.check_key(KEY, "a")

    free = Searches(stores, monkeypatch, rate="0")
    free.gate.set()
    free.seconds = SEARCH_SECONDS
    assert [asyncio.run(free.ask("a")) for _ in range(3)] == [200] * 3


def test_the_verb_deletes_in_every_source_or_in_one(start: Start, database: str) -> None:
    collector = start(database)
    other = collector.verb("keys", "add", "other").stdout.strip()
    third = collector.verb("keys", "add", "third").stdout.strip()
    for key in (collector.key, other, third):
        collector.post("/v1/batch", {"batch": story(ADA)}, key=key)
    done = collector.verb("instances", "delete", ADA, "--source", "othr", code=1)
    assert "no source has the name 'othr'" in done.stderr
    done = collector.verb("instances", "delete", ADA, "--source", "other")
    assert [json.loads(line)["source"] for line in done.stdout.splitlines()] == ["other"]
    done = collector.verb("instances", "delete", ADA)
    receipts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["source"], one["deleted"]["events"]) for one in receipts] == [("test", 6), ("third", 6)]
    assert collector.export() == []
    assert "nothing is stored" in collector.verb("instances", "delete", ADA, code=1).stderr


def test_beside_a_flood_from_one_address_another_address_is_answered(start: Start, cluster: Cluster) -> None:
    """While a transaction of somebody else holds up all that is searched for."""
    database = cluster.database()
    collector = start(database, ROLLCALL_COLLECTOR_TRUSTED_PROXIES="127.0.0.1")
    answered: list[int] = []

    def forget_from(peer: str) -> int:
        return collector.post("/v1/forget", {"instanceId": ADA}, X_Forwarded_For=peer).status

    def flood() -> None:
        answered.append(forget_from("203.0.113.7"))

    with ThreadPoolExecutor(FLOOD + 1) as pool:
        with psycopg.connect(database) as other:
            other.execute("LOCK TABLE instances IN ACCESS EXCLUSIVE MODE")
            for _ in range(FLOOD):
                pool.submit(flood)
            until(lambda: len(answered) >= FLOOD - MOST_OF_PEER)
            assert set(answered) == {429}
            operator = pool.submit(forget_from, "198.51.100.1")
            assert not operator.done()
            other.rollback()
        assert operator.result(PATIENCE) == 200
    assert sorted(answered) == [200] * MOST_OF_PEER + [429] * (FLOOD - MOST_OF_PEER)

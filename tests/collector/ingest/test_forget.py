"""POST /v1/forget and `instances delete`: what they answer, and what they refuse."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from collector.base.http import Refused
from collector.base.ids import key_of
from collector.ingest import forget
from collector.ingest.forget import LONGEST_ID
from collector.store import Stores
from collector.store.values import Forgotten
from tests.collector.conftest import BOTH, new_database
from tests.collector.running import Collector, event
from tests.collector.store.contract.conftest import DEBIANS

ADA, BOB = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
BODY = json.dumps({"instanceId": ADA}).encode()
NOTHING = {"instances": 0, "events": 0, "runs": 0, "requestsForHelp": 0, "bundles": 0}
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


def test_requests_take_turns_and_only_so_many_wait(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    working, most, gate = [0], [0], threading.Event()

    def slow(*_: object) -> Forgotten:
        working[0] += 1
        most[0] = max(most[0], working[0])
        gate.wait()
        working[0] -= 1
        return Forgotten()

    async def crowd() -> int:
        forgetting = forget.Forgetting(stores, lambda: 0.0)
        waiting = [asyncio.ensure_future(forgetting.answer(1, BODY)) for _ in range(forget.MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="busy"):
            await forgetting.answer(1, BODY)
        gate.set()
        answered = await asyncio.gather(*waiting)
        assert (await forgetting.answer(1, BODY)).status == 200
        return len(answered)

    monkeypatch.setattr(forget, "forget_instance", slow)
    assert asyncio.run(crowd()) == forget.MOST_WAITING
    assert most == [1]


def test_the_verb_deletes_in_every_source_or_in_one(start: Start, database: str) -> None:
    collector = start(database)
    other = collector.verb("keys", "add", "other").stdout.strip()
    third = collector.verb("keys", "add", "third").stdout.strip()
    for key in (collector.key, other, third):
        collector.post("/v1/batch", {"batch": story(ADA)}, key=key)
    done = collector.verb("instances", "delete", ADA, "--source", "other")
    assert [json.loads(line)["source"] for line in done.stdout.splitlines()] == ["other"]
    done = collector.verb("instances", "delete", ADA)
    receipts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["source"], one["deleted"]["events"]) for one in receipts] == [("test", 6), ("third", 6)]
    assert collector.export() == []
    assert "nothing is stored" in collector.verb("instances", "delete", ADA, code=1).stderr

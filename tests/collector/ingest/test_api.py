"""What a client is answered, and what is stored."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from collector.ingest import api
from tests.collector.running import Collector, event
from tests.wait import until

NOW = datetime.now(timezone.utc)


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def test_every_call_lands_under_its_long_and_its_short_name(collector: Collector) -> None:
    names = [*api.KINDS[:6], *list(api.SHORT)[:6]]
    for name in names:
        body = {"event": "Tried", "userId": "u", "messageId": f"m-{name}"}
        assert collector.post(f"/v1/{name}", body).json() == {"success": True}
    stored = {event["messageId"]: event["type"] for event in collector.export()}
    assert stored == {f"m-{name}": api.SHORT.get(name, name) for name in names}


def test_a_batch_lands_with_its_context_merged(collector: Collector) -> None:
    for path in ("/v1/batch", "/v1/b", "/v1/import", "/v1/batch/", "//v1/batch"):
        batch = [
            event(messageId=f"1{path}", context={"app": {"name": "x"}}),
            event(messageId=f"2{path}", type="identify", traits={"a": 1}),
        ]
        body = {"batch": batch, "context": {"locale": "de", "app": {}}, "integrations": {"All": False}}
        assert collector.post(path, body).status == 200
        stored = {event["messageId"]: event for event in collector.export()}
        assert stored[f"1{path}"]["context"] == {"locale": "de", "app": {"name": "x"}}
        assert stored[f"2{path}"]["integrations"] == {"All": False}


def test_the_same_events_in_any_order_and_number_are_kept_once(
    start: Callable[..., Collector], database: str
) -> None:
    collector = start(database)
    batch = [event() for _ in range(50)]
    for shown in (batch, batch[::-1], batch[10:30] * 2, [batch[7]]):
        assert collector.post("/v1/batch", {"batch": shown}).status == 200
    assert collector.post("/v1/track", batch[3]).status == 200
    assert sorted(e["messageId"] for e in collector.export()) == sorted(e["messageId"] for e in batch)


def test_a_message_id_is_one_within_its_source_only(collector: Collector) -> None:
    other = collector.verb("keys", "add", "other").stdout.strip()
    for key in (collector.key, other, other):
        assert collector.post("/v1/track", event(messageId="same"), key=key).status == 200
    assert len(collector.export()) == 2


def test_clocks_that_are_wrong_by_a_day_are_corrected(collector: Collector) -> None:
    for days in (-1, 1):
        clock = datetime.now(timezone.utc) + timedelta(days=days)
        happened = clock - timedelta(minutes=10)
        body = {"batch": [event(timestamp=iso(happened))], "sentAt": iso(clock)}
        assert collector.post("/v1/batch", body).status == 200
    for stored in collector.export():
        at = datetime.fromisoformat(stored["timestamp"].replace("Z", "+00:00"))
        assert abs(datetime.now(timezone.utc) - timedelta(minutes=10) - at) < timedelta(minutes=2)
        assert stored["originalTimestamp"] != stored["timestamp"]


def test_unknown_fields_are_kept_and_addresses_and_keys_are_not(collector: Collector) -> None:
    sent = event(writeKey=collector.key, odd={"deep": [1, None]}, context={"ip": "203.0.113.9", "odd": True})
    assert collector.post("/v1/track", sent, X_Forwarded_For="203.0.113.9").status == 200
    (stored,) = collector.export()
    assert stored["odd"] == {"deep": [1, None]}
    assert stored["context"] == {"odd": True}
    kept = b"".join(path.read_bytes() for path in collector.home.glob("collector.db*"))
    assert b"Tried" in kept
    assert b"203.0.113.9" not in kept
    assert collector.key.encode() not in kept


def test_the_key_may_stand_in_the_body(collector: Collector) -> None:
    for body in (
        event(writeKey=collector.key),
        {"writeKey": collector.key, "batch": [event()]},
        {"batch": [event(writeKey=collector.key)]},
        {"batch": [1, {"event": float("nan")}, {"writeKey": 7}, event(writeKey=collector.key)]},
    ):
        path = "/v1/b" if "batch" in body else "/v1/t"
        assert collector.post(path, body, key="", Content_Type="text/plain").status == 200
    assert len(collector.export()) == 4


def test_gzip_may_have_several_members(collector: Collector) -> None:
    body = json.dumps({"batch": [event(), event()]}).encode()
    packed = gzip.compress(body[:30]) + gzip.compress(body[30:])
    assert collector.post("/v1/batch", packed).status == 200
    assert collector.post("/v1/batch", packed + b"\0" * 8).status == 200  # as gzip itself allows
    assert len(collector.export()) == 2


def test_gzip_is_read_whatever_the_header_says(collector: Collector) -> None:
    body = gzip.compress(json.dumps({"batch": [event()]}).encode())
    assert collector.post("/v1/batch", body, Content_Encoding="gzip").status == 200
    assert collector.post("/v1/batch", body).status == 200
    assert len(collector.export()) == 1


def test_an_event_without_an_id_is_given_one(collector: Collector) -> None:
    for missing in ({"messageId": None}, {"messageId": ""}):
        assert collector.post("/v1/track", event(**missing)).status == 200
        stored_by = int(time.time() * 1000)
        until(lambda by=stored_by: int(time.time() * 1000) > by)  # type: ignore[misc]
    first, second = (stored["messageId"] for stored in collector.export())
    assert uuid.UUID(first).version == uuid.UUID(second).version == 7
    assert first < second


def test_a_wrong_key_is_401_until_it_is_made_and_after_it_is_revoked(collector: Collector) -> None:
    assert collector.post("/v1/track", event(), key="nonsense").status == 401
    assert collector.post("/v1/track", event(), key="").status == 401
    key = collector.verb("keys", "add", "late").stdout.strip()
    assert collector.post("/v1/track", event(), key=key).status == 200
    collector.verb("keys", "revoke", key)
    until(lambda: collector.post("/v1/track", event(), key=key).status == 401)


def test_a_browser_may_send_from_anywhere(collector: Collector) -> None:
    asked = {
        "Origin": "https://a.example",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    reply = collector.request("OPTIONS", "/v1/t", headers=asked)
    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    odd = {"Access-Control-Request-Headers": "a\tset-cookie: b=c"}
    allowed = collector.request("OPTIONS", "/v1/t", headers=odd).headers["Access-Control-Allow-Headers"]
    assert allowed == "authorization, content-type"
    refused = collector.post("/v1/t", event(), key="wrong", Origin="https://a.example")
    assert refused.headers["Access-Control-Allow-Origin"] == "*"

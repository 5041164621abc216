"""No IP address field is stored, and nothing that is counted looks like an address."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.base.events import Event, mapping
from collector.base.personal import HIDDEN
from collector.ingest import decode
from collector.ingest.addresses import NO_ADDRESS, drop_addresses, may_have_address
from collector.ingest.rejects import OTHER, library_name
from tests.collector import running
from tests.collector.running import Collector

AT = 1_795_168_800_000
MAIL, ADDRESS = "ada@example.org", "203.0.113.9"
WHO = {"anonymousId": "a", "messageId": "m"}
Json = st.recursive(
    st.none() | st.integers() | st.sampled_from([ADDRESS, NO_ADDRESS, '"ip":"x"']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ip", "IP", "Ip", "tip", "context"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def stored(kind: str = "track", **fields: Any) -> Event:
    body = {"batch": [{"type": kind, **WHO, **fields}]}
    (event,) = decode.events_in(json.dumps(body).encode(), "batch", 1, AT)
    assert isinstance(event, Event)
    return event


@pytest.mark.parametrize("name", ["ip", "IP", "Ip"])
@pytest.mark.parametrize(
    "fields",
    [
        *({"context": {"{}": ADDRESS}}, {"traits": {"{}": ADDRESS}}, {"properties": {"{}": ADDRESS}}),
        *(
            {"context": {"traits": {"{}": ADDRESS}}},
            {"{}": ADDRESS},
            {"properties": {"deep": [[{"{}": [ADDRESS]}]]}},
        ),
    ],
)
def test_an_address_field_is_dropped_wherever_it_stands(fields: dict[str, Any], name: str) -> None:
    event = stored(event="x", **json.loads(json.dumps(fields).replace("{}", name)))
    assert ADDRESS not in event.body
    assert name not in event.body


def test_the_address_that_a_batch_shares_is_dropped_and_the_mark_for_none_stays() -> None:
    body = {"batch": [{**WHO, "event": "x"}] * 2, "context": {"ip": ADDRESS, "library": {"name": "l"}}}
    events = list(decode.events_in(json.dumps(body).encode(), "batch", 1, AT))
    assert [json.loads(event.body)["context"] for event in events if isinstance(event, Event)] == [
        {"library": {"name": "l"}}
    ] * 2
    assert json.loads(stored(event="x", context={"ip": NO_ADDRESS}).body)["context"] == {"ip": NO_ADDRESS}


@given(Json)
def test_what_is_not_searched_has_no_address(value: object) -> None:
    event = {"context": value}
    before, context = json.dumps(event, separators=(",", ":")), mapping(value)
    searched = may_have_address(before, context)
    drop_addresses(event)
    assert searched or before == json.dumps(event, separators=(",", ":"))


def test_names_versions_and_places_are_counted_without_addresses() -> None:
    context = {"app": {"version": f"1-{MAIL}"}, "os": {"name": ADDRESS, "version": MAIL}}
    where = {"reason": MAIL, "signal": ADDRESS, "script": f"{MAIL}.sh", "command": MAIL, "email": MAIL}
    event = stored(event="Installation Errors", context=context, properties=where)
    assert event.fact is not None
    counted = event.fact._replace(email=None)
    assert [text for text in counted if isinstance(text, str) and (MAIL in text or ADDRESS in text)] == []
    assert (event.fact.version, event.fact.os, event.fact.script) == (f"{HIDDEN}", HIDDEN, HIDDEN)
    assert event.fact.email == MAIL, "support answers there"
    assert stored(event=f"Signed up {MAIL}").name == f"Signed up {HIDDEN}"
    assert stored("page", name=f"Profile of {MAIL}").name == f"Profile of {HIDDEN}"
    assert stored(event="x" * 190 + f" {MAIL}").name == "x" * 190 + f" {HIDDEN}"


def test_a_library_that_is_called_like_an_address_has_no_name() -> None:
    assert library_name("analytics-python") == "analytics-python"
    assert library_name(f"host {ADDRESS}") == OTHER


def test_the_address_of_who_sends_is_in_no_byte_of_the_database(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    """Only the address that the proxy names stands for a peer that is not this machine."""
    collector = start(f"sqlite:///{tmp_path}/collector.db", ROLLCALL_COLLECTOR_TRUSTED_PROXIES="127.0.0.1")
    for key, code in ((None, 200), ("wrong", 401)):
        sent = [running.event(event="x", anonymousId="who-sent-it"), {"type": "nothing that is known"}]
        assert collector.post("/v1/batch", {"batch": sent}, key=key, X_Forwarded_For=ADDRESS).status == code
    assert len(collector.export()) == 1
    collector.stop()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("collector.db*"))
    assert b"who-sent-it" in kept
    assert ADDRESS.encode() not in kept

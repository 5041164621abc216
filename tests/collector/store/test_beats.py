"""The text of a heartbeat is made again to the letter, or kept."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from collector.base.events import Event
from collector.base.ids import uuid_of
from collector.base.times import read_time, write_time
from collector.ingest.decode import events_in
from collector.store.beats import CLOCK_MS, LATE_MS, NarrowBeat, narrow_beat, text_of

GOLDEN = Path(__file__).parents[2] / "agent/events/golden"
NOW = 1_795_900_000_000
WHO = uuid_of(b"w" * 16, 4)


def beat(**changed: Any) -> dict[str, Any]:
    """A heartbeat as the agent sends it."""
    return {
        "type": "track",
        "event": "Instance Active",
        "anonymousId": WHO,
        "messageId": uuid_of((NOW - 900).to_bytes(6, "big") + b"m" * 10, 7),
        "timestamp": write_time(NOW - 900),
        "context": {"library": {"name": "rollcall", "version": "0.1.0"}, "ip": "0.0.0.0"},
        "integrations": {},
        "properties": {"instanceId": WHO},
        **changed,
    }


def kept(event: dict[str, Any], sent: str = write_time(NOW - 100), received: int = NOW) -> Event:
    (event_or_reject,) = events_in(
        json.dumps({"batch": [event], "sentAt": sent}).encode(), "batch", 1, received
    )
    assert isinstance(event_or_reject, Event)
    return event_or_reject


def again(found: tuple[int, NarrowBeat, str]) -> str:
    """The JSON that is made of what is stored."""
    day, beat, shape = found
    return text_of(beat.on(day), shape)


def test_heartbeats_of_one_library_have_one_shape_and_come_back_to_the_letter() -> None:
    chance = random.Random(1)
    shapes = set()
    for _ in range(300):
        who, happened = uuid_of(chance.randbytes(16), 4), NOW - chance.randrange(10**8)
        message = uuid_of(happened.to_bytes(6, "big") + chance.randbytes(10), 7)
        said = beat(
            anonymousId=who,
            messageId=message,
            timestamp=write_time(happened),
            properties={"instanceId": who},
        )
        # Times that are the same are told apart by their names.
        sent = happened + chance.choice([0, 1, 1000, -1])
        event = kept(said, write_time(sent), sent + chance.choice([-5000, 0, 7]))
        found = narrow_beat(event)
        assert found is not None
        assert again(found) == event.body
        shapes.add(found[2])
    assert len(shapes) == 1


def made_at(time: int) -> dict[str, Any]:
    message = uuid_of(time.to_bytes(6, "big") + b"m" * 10, 7)
    return beat(messageId=message, timestamp=write_time(time))


def test_a_heartbeat_of_the_agent_is_narrow_whatever_its_version() -> None:
    for version in ("0.1.0", "1.22.333", "2.0rc1+local"):
        library = {"name": "rollcall", "version": version}
        event = kept(beat(context={"library": library, "ip": "0.0.0.0"}))
        found = narrow_beat(event)
        assert found is not None
        assert again(found) == event.body


def test_the_heartbeat_of_todays_agent_is_narrow() -> None:
    """Or every heartbeat would take ten times the disk."""
    said = json.loads((GOLDEN / "instance-active.json").read_text())
    made = read_time(said["timestamp"]) or 0
    said["messageId"] = uuid_of(made.to_bytes(6, "big") + b"m" * 10, 7)
    said["properties"]["instanceId"] = said["anonymousId"]
    event = kept(said, write_time(made + 50), made + 100)
    found = narrow_beat(event)
    assert found is not None
    assert again(found) == event.body


@pytest.mark.parametrize(
    "changed",
    [
        {"event": "Other"},
        {"type": "identify"},
        {"anonymousId": WHO.upper(), "properties": {"instanceId": WHO.upper()}},
        {"anonymousId": "a person", "properties": {"instanceId": "a person"}},
        {"messageId": uuid_of((NOW - 900).to_bytes(6, "big") + b"m" * 10, 4)},
        {"messageId": uuid_of((NOW - 900).to_bytes(6, "big") + b"m" * 10, 7).upper()},
        {"messageId": "m" * 36},
        {"timestamp": "2026-11-28T23:00:00Z"},
        {"timestamp": write_time(NOW - 900).replace("T", " ")},
        {"timestamp": write_time(NOW - 900).replace("Z", "z")},
        {"timestamp": "2026-02-30T23:00:00.000Z"},
        {"timestamp": None},
        {"context": {"installation": {"id": WHO}}},
        {"sentAt": "now"},
        {"context": {"library": {"name": "rollcall", "version": "ada@example.org"}, "ip": "0.0.0.0"}},
        {"context": {"library": {"name": "rollcall", "version": "1"}, "ip": "0.0.0.0", "more": 1}},
        {"properties": {"instanceId": WHO, "more": "a person"}},
        {"userId": "a person"},
        {"integrations": {"All": True}},
    ],
)
def test_only_the_heartbeat_of_the_agent_is_narrow(changed: dict[str, Any]) -> None:
    assert narrow_beat(kept(beat())) is not None
    assert narrow_beat(kept(beat(**changed))) is None


@pytest.mark.parametrize(
    ("ago", "sent_ago", "narrow"),
    [
        (0, 0, True),
        (LATE_MS - 1000, 0, True),
        (LATE_MS + 1000, 0, False),
        (CLOCK_MS - 1000, CLOCK_MS - 1000, True),  # its clock is nearly an hour slow
        (2 * CLOCK_MS, 2 * CLOCK_MS, False),  # and more than an hour
        (-CLOCK_MS, -CLOCK_MS, True),
        (-CLOCK_MS - 1000, -CLOCK_MS - 1000, False),
        (1000, 5000, True),  # sent before it happened: the clock was set meanwhile
    ],
)
def test_a_heartbeat_is_narrow_if_its_clock_is_right_and_it_comes_soon(
    ago: int, sent_ago: int, *, narrow: bool
) -> None:
    event = kept(made_at(NOW - ago), write_time(NOW - sent_ago))
    found = narrow_beat(event)
    assert (found is not None) == narrow
    if found:
        assert again(found) == event.body


def test_what_is_found_out_about_an_event_is_of_that_event_alone() -> None:
    event = kept(beat())
    found = narrow_beat(event)
    assert found is not None
    assert narrow_beat(event) is found
    assert narrow_beat(event._replace(source=2)) == found
    assert narrow_beat(event._replace(body="{}")) is None
    assert narrow_beat(event._replace(received=NOW + 1)) is None

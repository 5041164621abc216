"""A made-up history of a few instances, as clients send it. No two events of it are at the same time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from collector.base.events import BEAT, ERRORS, STARTED, SUCCESS, SUPPORT, Event
from collector.base.ids import as_uuid, key_of, uuid_of
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode
from collector.store import EventStore

HOUR = 3_600_000
NOW = 20_000 * DAY_MS + 13 * HOUR
TODAY = NOW // DAY_MS
SOURCE, OTHER_SOURCE = 1, 2
KEYS = (7, 8)
INSTANCES = [bytes([number]) * 16 for number in range(1, 7)]
RUNS = [bytes([100 + number]) * 16 for number in range(14)]
PRODUCTION_RUNS = 8  # so many of them
PLACES = (("install.sh", 42, "curl", 6), ("install.sh", 88, "docker", 125), ("migrate.sh", 7, "psql", 2))


def made_history(seed: int, size: int = 160, *, environments: bool = False) -> list[Event]:
    """Events in the order of their arrival; a few come days late. All are of production, unless asked."""
    chance = random.Random(seed)
    times = iter(chance.sample(range(NOW - 45 * DAY_MS, NOW, 1000), size))
    made = [_event(chance, number, at, environments=environments) for number, at in enumerate(times)]
    return sorted(made, key=lambda event: event.received)


def keep_in_pieces(store: EventStore, events: Sequence[Event], size: int = 20) -> None:
    for piece in pieces(events, size):
        store.keep(piece)


def pieces(events: Sequence[Event], size: int) -> Iterator[Sequence[Event]]:
    return (events[start : start + size] for start in range(0, len(events), size))


def _event(chance: random.Random, number: int, at: int, *, environments: bool) -> Event:
    name = chance.choice([BEAT, BEAT, BEAT, STARTED, STARTED, SUCCESS, ERRORS, SUPPORT, "Deployed", "Opened"])
    told: dict[str, Any] = {
        "type": "track",
        "event": name,
        "anonymousId": as_uuid(chance.choice(INSTANCES)),
        "messageId": f"message {number}",
        "timestamp": write_time(at),
        "context": {},
        "properties": {},
    }
    if name in (STARTED, SUCCESS, ERRORS, SUPPORT):
        told["context"] = {
            "app": {"version": chance.choice(["1.0", "1.1", "2.0"])},
            "os": {"name": chance.choice(["debian", "ubuntu"]), "version": "12"},
            "installation": {"id": as_uuid(chance.choice(RUNS))},
        }
        installation = told["context"]["installation"]
        if environments and key_of(installation["id"]) in RUNS[PRODUCTION_RUNS:] and number % 4:
            installation["environment"] = ("ci", "dev", "Staging")[number % 4 - 1]
    if name == SUPPORT:
        told["properties"] = {"email": f"ada{number}@example.org", "reference": f"{number:08}"}
    if name == ERRORS:
        script, line, command, code = chance.choice(PLACES)
        told["properties"] = {"script": script, "line": line, "command": command, "exitCode": code}
    received = min(NOW, at + chance.choice([300, 300, 300, 3 * DAY_MS]))
    source = OTHER_SOURCE if number % 8 == 0 else SOURCE
    if name == BEAT and number % 3:
        return _agents_beat(told, source, at, received, chance)
    return decode.read_event(told, "", source, received, settled=True, key=chance.choice(KEYS))


def _agents_beat(told: dict[str, Any], source: int, at: int, received: int, chance: random.Random) -> Event:
    """A heartbeat to the letter as the agent sends it, which a store may keep in another way."""
    told["messageId"] = uuid_of(at.to_bytes(6, "big") + chance.randbytes(10), 7)
    library = {"name": "rollcall", "version": chance.choice(["0.1.0", "0.2.0"])}
    told["context"] = {"library": library, "ip": "0.0.0.0"}
    del told["properties"]  # they come last, as at the agent
    told["integrations"] = {}
    told["properties"] = {"instanceId": told["anonymousId"]}
    return decode.read_event(told, "", source, received, write_time(received), key=chance.choice(KEYS))


def without_late_beats(events: Sequence[Event]) -> list[Event]:
    """A store may have these where they were made, and not where they arrived."""
    return [event for event in events if event.name != BEAT or event.received - event.time < DAY_MS]

"""Sixty virtual days of two sources, with nine troubles in them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from collector.base.events import BEAT, ERRORS, STARTED, SUCCESS, SUPPORT, Event
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode

HOUR = 3_600_000
STEP = 6 * HOUR
# A Monday. Before it there are five weeks in which all is well.
FIRST = 20_003
HISTORY, DAYS = 35, 60
PRODUCT, OTHER = 1, 2
EXPIRES, SIGNED_AGAIN = 70, 59  # days on which the release feed expires, and on which there is a new one
INSTANCES, INSTALLS = 60, 8
WEEKEND = 5
MIB = 2**20
PLENTY, LITTLE, NOTHING = 10_000 * MIB, 400 * MIB, 100 * MIB
EMAIL = "ada@example.org"

TITLES = [
    "product: Somebody is waiting for help",
    "Rollcall: The database fills",
    "product: Installs fail at `new.sh:7`",
    "product: Installs of 1.11 succeed less often",
    "product: Installs fail at `install.sh:42`",
    "product: Fewer instances are active",
    "Rollcall: No events are taken",
    "Rollcall: The database does not answer",
    "other: The release feed expires soon",
]
"""The nine troubles, in the order in which they begin."""


def version_on(day: int) -> str:
    """The newest version. That of day 20 is bad, and is replaced on day 30."""
    releases = ((30, "1.12"), (20, "1.11"), (10, "1.10"))
    return next((version for since, version in releases if day >= since), "1.9")


def feed_of(expires: int) -> bytes:
    """A release feed that expires at the begin of a day, counted as above."""
    time = write_time((FIRST + expires) * DAY_MS)[:19] + "Z"
    return json.dumps({"format": 1, "product": "other", "sequence": 1, "expires": time}).encode()


def disk_at(day: float) -> int:
    """Free bytes."""
    return LITTLE if 6 <= day < 8 else NOTHING if 52 <= day < 53 else PLENTY


def is_away(day: float) -> bool:
    return 55 <= day < 55.8


def events_of(day: int) -> Iterator[Event]:
    """What arrives on a day, by its number."""
    asleep = 15 if day % 7 >= WEEKEND else 30 if day in (44, 45) else 0
    for number in range(INSTANCES - asleep):
        yield _event(BEAT, day, number, _id("instance", number))
    version = version_on(day)
    for number in range(INSTALLS):
        failed = number < 4 if version == "1.11" else number == 0 and day % 3 == 0
        place = ("install.sh", 1000 + day * 10 + number) if failed else None
        yield from install_of(day, number, version, place)
    if day == 14:
        for number in range(20, 24):
            yield from install_of(day, number, version, ("new.sh", 7))
    if day == 36:
        for number in range(30, 42):
            of = "1.11" if number == 30 else version
            yield from install_of(day, number, of, ("install.sh", 42))
    if day == 3:
        run = _id("asked", day)
        told = {"email": EMAIL, "reference": run[:8]}
        yield _event(SUPPORT, day, 0, _id("asker", day), run, version, **told)


def install_of(day: int, number: int, version: str, failed_at: tuple[str, int] | None) -> Iterator[Event]:
    who, run = _id(f"new {day}", number), _id(f"run {day}", number)
    yield _event(STARTED, day, number, who, run, version)
    if failed_at is None:
        yield _event(SUCCESS, day, number, who, run, version)
    else:
        script, line = failed_at
        yield _event(ERRORS, day, number, who, run, version, script=script, line=line, exitCode=1)


def _event(
    name: str,
    day: int,
    number: int,
    who: str,
    run: str = "",
    version: str = "",
    **told: Any,
) -> Event:
    at = (FIRST + day) * DAY_MS + 1000 * number + len(name)
    context = {"app": {"version": version}, "installation": {"id": run}} if run else {}
    event = {
        "event": name,
        "anonymousId": who,
        "messageId": _id(f"{name} {day} {who} {run}", number),
        "timestamp": write_time(at),
        "context": context,
        "properties": told,
    }
    return decode.read_event(event, "track", PRODUCT, at + 500)


def _id(word: str, number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{word} {number}"))

"""A made-up fleet with what makes numbers wrong: a bad release, an outage, clones, and the noise of CI."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from collector.base.events import BEAT, ERRORS, STARTED, SUCCESS, SUPPORT
from collector.base.ids import as_uuid
from collector.base.times import DAY_MS, write_time
from tests.collector.page.client import NOW

HOUR = 3_600_000
# Version, how many days ago it came out, and the line of its download.
RELEASES = (("1.8.0", 70, 42), ("1.9.0", 45, 45), ("1.10.0", 20, 51))
BAD, BAD_STEP = "1.10.0", ("migrate.sh", 214, "psql", 3)
GONE_STEP = ("install.sh", 300, "openssl", 127)  # mended in the bad release
OUTAGE = (50, 48)  # days ago
SYSTEMS = (("debian", "12"), ("ubuntu", "24.04"), ("alpine", "3.22"))
CI_VERSION = "9.9.9-dev"


@dataclass(frozen=True)
class _Story:
    """What is the same for the whole fleet."""

    chance: random.Random
    every: int
    troubled: bool

    def is_bad(self, version: str) -> bool:
        return self.troubled and version == BAD


def made_fleet(
    instances: int, seed: int = 1, every: int = 1, *, troubled: bool = True
) -> Iterator[dict[str, Any]]:
    """Events as clients send them, in no order; a heartbeat every so many days. Not `troubled`: all well."""
    story = _Story(random.Random(seed), every, troubled)
    for number in range(instances):
        yield from _life(story, as_uuid(number.to_bytes(4, "big") * 4), number)
    if not troubled:
        return
    clone = as_uuid(b"clone" + b"\0" * 11)
    for number in range(6):
        yield from _life(story, clone, 1_000_000 + number)
    for number in range(2):  # two in ten thousand lines of a CI's log
        yield from _run(story, clone, CI_VERSION, NOW - (number + 1) * DAY_MS, f"ci {number}", "")


def in_environment(told: Iterator[dict[str, Any]], environment: str) -> Iterator[dict[str, Any]]:
    """Another fleet of the same kind, whose installs say that they are for something else."""
    for one in told:
        context = one["context"]
        if run := context.get("installation"):
            context = {
                **context,
                "installation": {"id": f"{environment} {run['id']}", "environment": environment},
            }
        ids = {name: _id_from(f"{environment} {one[name]}") for name in ("anonymousId", "messageId")}
        yield {**one, **ids, "context": context}


def _id_from(text: str) -> str:
    return as_uuid(sha256(text.encode()).digest()[:16])


def _life(story: _Story, who: str, number: int) -> Iterator[dict[str, Any]]:
    chance = story.chance
    installed = NOW - chance.randrange(1, 69) * DAY_MS - chance.randrange(DAY_MS // 2)
    system = chance.choice(SYSTEMS)
    until = NOW if chance.random() < 0.7 else installed + chance.randrange(40) * DAY_MS
    slow = number % 5 * DAY_MS + number  # to upgrade
    upgrades = [at for _, ago, _ in RELEASES if (at := NOW - ago * DAY_MS + slow) > installed]
    for attempt, at in enumerate([installed, *(at for at in upgrades if chance.random() < 0.6)]):
        version = next(v for v, ago, _ in reversed(RELEASES) if at >= NOW - ago * DAY_MS)
        end = _end(story, version)
        yield from _run(story, who, version, at, f"{number} {attempt}", end, system)
        if end == ERRORS and chance.random() < 0.5:
            yield from _run(story, who, version, at + HOUR, f"{number} {attempt} again", SUCCESS, system)
    dark = story.troubled and number % 2 == 0
    for day in range(0, (until - installed) // DAY_MS + 1, story.every):
        at = installed + day * DAY_MS + HOUR
        ago = (NOW - at) // DAY_MS
        if at < until and not (dark and OUTAGE[1] <= ago <= OUTAGE[0]):
            yield _told(who, BEAT, at, {"instanceId": who})
    if number % 3 == 0:
        for n in range(number % 7):
            yield _told(who, "Backup Made", NOW - n * DAY_MS - HOUR, {"kind": ("full", "part")[n % 2]})


def _end(story: _Story, version: str) -> str:
    failing = 0.45 if story.is_bad(version) else 0.12
    kind = story.chance.random()
    return ERRORS if kind < failing else "" if kind < failing + 0.03 else SUCCESS


def _run(
    story: _Story,
    who: str,
    version: str,
    at: int,
    name: str,
    end: str,
    system: tuple[str, str] = SYSTEMS[0],
) -> Iterator[dict[str, Any]]:
    context = {
        "app": {"version": version},
        "os": {"name": system[0], "version": system[1]},
        "installation": {"id": f"run {name}"},
    }
    yield _told(who, STARTED, at, {}, context)
    if end == ERRORS:
        script, line, command, code = _step(story, version)
        place = {"script": script, "line": line, "command": command, "exitCode": code}
        yield _told(who, ERRORS, at + 60_000, place, context)
        if story.chance.random() < 0.3:
            yield _told(who, SUPPORT, at + 120_000, {"email": "ada@example.org"}, context)
    elif end:
        yield _told(who, SUCCESS, at + 60_000, {}, context)


def _step(story: _Story, version: str) -> tuple[str, int, str, int]:
    line = next((line for v, _, line in RELEASES if v == version), 1)
    steps = [("install.sh", line, "curl", 6), ("install.sh", line + 150, "curl", 6)]
    return story.chance.choice([*steps, BAD_STEP if story.is_bad(version) else GONE_STEP])


def _told(
    who: str, name: str, at: int, properties: dict[str, Any], context: dict[str, Any] | None = None
) -> dict[str, Any]:
    told = {"type": "track", "event": name, "anonymousId": who, "timestamp": write_time(at)}
    number = f"{who} {name} {at} {(context or {}).get('installation')}"
    return {**told, "messageId": _id_from(number), "context": context or {}, "properties": properties}

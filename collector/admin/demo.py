"""A year of invented events, for `rollcall-collector demo-data`.

The number of installs grows over the year and falls at weekends. A new version appears every five weeks.
Some installs fail at known places, and some of these ask for help. One release is broken for six days,
and one hosting provider has an outage of two days. The same seed and end time give the same events.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from collector.base.events import BEAT, ERRORS, STARTED, SUCCESS, SUPPORT, Event
from collector.base.ids import uuid_of
from collector.base.times import DAY_MS, write_time
from collector.ingest import decode

DAYS = 365
HOUR = 3_600_000
INTERVAL = 6 * HOUR
JITTER = 5 * 60_000

VERSION_DAYS = 35
BAD_RELEASE = (0.72, 6)  # where in the year, and for how many days
OUTAGE = (0.45, 2)
DARK = 0.55  # the share of the fleet at the provider that was out
SHORT_LIVED = 0.22
SYSTEMS = (
    ("ubuntu", "24.04", 30),
    ("ubuntu", "22.04", 26),
    ("debian", "12", 20),
    ("rocky", "9.4", 8),
    ("debian", "13", 6),
    ("fedora", "42", 4),
    ("alpine", "3.22", 3),
    ("raspbian", "12", 3),
)
# Script, line, command, exit code, how often.
FAILURES = (
    ("install.sh", 88, "docker", 125, 34),
    ("install.sh", 42, "curl", 6, 22),
    ("preflight.sh", 17, "df", 1, 14),
    ("install.sh", 131, "systemctl", 1, 12),
    ("migrate.sh", 60, "psql", 2, 10),
    ("install.sh", 203, "openssl", 127, 5),
)
BAD_FAILURE = ("migrate.sh", 214, "psql", 3)


@dataclass(frozen=True)
class Year:
    """What is the same for the whole fleet."""

    seed: int
    end: int

    @property
    def begin(self) -> int:
        return self.end - DAYS * DAY_MS

    def version(self, at: int) -> str:
        return f"1.{max(0, at - self.begin) // DAY_MS // VERSION_DAYS}.0"

    def is_bad_release(self, at: int) -> bool:
        return self._within(at, *BAD_RELEASE)

    def is_outage(self, at: int) -> bool:
        return self._within(at, *OUTAGE)

    def _within(self, at: int, where: float, days: int) -> bool:
        # From midnight to midnight, so that a day of it is a whole day.
        first = (self.begin + int(where * DAYS) * DAY_MS) // DAY_MS
        return first <= at // DAY_MS < first + days


@dataclass(frozen=True)
class Machine:
    """One made-up installation."""

    id: str
    installed: int
    until: int  # its last sign of life
    system: tuple[str, str]
    dark: bool  # at the provider that was out
    flaky: bool  # a laptop, off for nights and weekends
    slow: bool  # behind a gate that lets events out hours later


def demo_events(instances: int, seed: int, end: int, source: int) -> Iterator[Event]:
    """Every event of the year in the order of arrival, as the collector keeps them."""
    year = Year(seed, end)
    chance = random.Random(seed)  # noqa: S311 - a story, not a secret
    machines = [_machine(year, chance) for _ in range(instances)]
    lives = [_life(year, machine, random.Random(f"{seed} {machine.id}")) for machine in machines]  # noqa: S311 - a story
    for received, _, event in heapq.merge(*lives):
        if received <= end:
            yield decode.read_event(event, "", source, received, settled=True)


def _machine(year: Year, chance: random.Random) -> Machine:
    installed = _install_time(year, chance)
    short = chance.random() < SHORT_LIVED
    lifetime = chance.uniform(0.2, 10) * HOUR if short else _lifetime(chance)
    system = chance.choices(SYSTEMS, [weight for *_, weight in SYSTEMS])[0]
    return Machine(
        id=uuid_of(chance.randbytes(16), 4),
        installed=installed,
        until=int(installed + lifetime),
        system=(system[0], system[1]),
        dark=chance.random() < DARK,
        flaky=chance.random() < 0.06,  # noqa: PLR2004 - a share
        slow=chance.random() < 0.03,  # noqa: PLR2004 - a share
    )


def _install_time(year: Year, chance: random.Random) -> int:
    """More towards the end of the year, fewer at weekends, most by day."""
    while True:
        day = int(DAYS * chance.random() ** 0.75)
        at = year.begin + day * DAY_MS
        weekend = (at // DAY_MS + 3) % 7 >= 5  # noqa: PLR2004 - Saturday and Sunday
        if not weekend or chance.random() < 0.45:  # noqa: PLR2004 - a share
            return int(at // DAY_MS * DAY_MS + min(max(chance.gauss(14, 4), 0), 23.99) * HOUR)


def _lifetime(chance: random.Random) -> float:
    """Some look around for a few weeks; those who stay, stay long."""
    mean = 24 if chance.random() < 0.3 else 700  # noqa: PLR2004 - a share
    return 2 * DAY_MS + chance.expovariate(1 / (mean * DAY_MS))


def _life(year: Year, machine: Machine, chance: random.Random) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """What one machine sends, in the order of arrival: (received, message id, event)."""
    late = int(chance.uniform(1, 9) * HOUR) if machine.slow else 0
    for at, name, properties, context in _history(year, machine, chance):
        received = at + late + chance.randrange(200, 3000)
        message = uuid_of(at.to_bytes(6, "big") + chance.randbytes(10), 7)
        yield (
            received,
            message,
            {
                "type": "track",
                "event": name,
                "anonymousId": machine.id,
                "messageId": message,
                "timestamp": write_time(at),
                "receivedAt": write_time(received),
                "context": context,
                "integrations": {},
                "properties": properties,
            },
        )


Sent = tuple[int, str, dict[str, Any], dict[str, Any]]


def _history(year: Year, machine: Machine, chance: random.Random) -> Iterator[Sent]:
    """Installs until one succeeds or patience ends, then heartbeats, with an upgrade now and then."""
    at = machine.installed
    for attempt in range(4):
        at, succeeded = yield from _one_install(year, machine, chance, at)
        if succeeded:
            break
        if chance.random() > 0.7 - 0.15 * attempt:
            return
        at += int(chance.expovariate(1 / (2 * HOUR))) + 60_000
    else:
        return
    upgrade = at + int(chance.uniform(20, 60) * DAY_MS)
    at += 120_000
    while at < min(machine.until, year.end):
        if at >= upgrade:
            at, _ = yield from _one_install(year, machine, chance, at)
            upgrade = at + int(chance.uniform(25, 60) * DAY_MS)
        elif _beats(year, machine, at, chance):
            yield at, BEAT, {"instanceId": machine.id}, _context()
        at += INTERVAL + chance.randrange(JITTER)


def _beats(year: Year, machine: Machine, at: int, chance: random.Random) -> bool:
    if machine.dark and year.is_outage(at):
        return False
    if machine.flaky:
        hour, weekday = at // HOUR % 24, (at // DAY_MS + 3) % 7
        return 6 <= hour < 20 and weekday < 5  # noqa: PLR2004 - office hours
    return chance.random() > 0.002  # noqa: PLR2004 - a reboot at the wrong moment


def _one_install(year: Year, machine: Machine, chance: random.Random, at: int) -> Any:
    """One run of the installer: yields its events; returns when it ended and whether it succeeded."""
    bad = year.is_bad_release(at)
    system, release = machine.system
    context = {
        "app": {"name": "Acme Desk", "version": year.version(at) if not bad else "1.7.1"},
        "os": {"name": system, "version": release},
        "installation": {"id": uuid_of(chance.randbytes(16), 4)},
        **_context(),
    }
    yield at, STARTED, {"os": system}, context
    luck, seconds = chance.random(), round(min(chance.lognormvariate(4.6, 0.6), 3000), 1)
    failing = 0.58 if bad else 0.16 if system == "alpine" else 0.07
    if luck < failing:
        seconds = round(seconds * chance.uniform(0.1, 0.9), 1)
        at += int(seconds * 1000)
        yield at, ERRORS, {"os": system, "durationSeconds": seconds, **_failure(chance, bad=bad)}, context
        if chance.random() < 0.35:  # noqa: PLR2004 - a share
            yield at + 40_000, SUPPORT, _request(chance, system, context), context
        return at, False
    if luck < failing + 0.025:
        return at, False  # given up, or cut off
    at += int(seconds * 1000)
    yield at, SUCCESS, {"os": system, "durationSeconds": seconds}, context
    return at, True


def _failure(chance: random.Random, *, bad: bool) -> dict[str, Any]:
    if chance.random() < 0.08:  # noqa: PLR2004 - a share
        return {"reason": "signal", "exitCode": 130, "signal": "SIGINT", "script": "install.sh"}
    script, line, command, code = (
        BAD_FAILURE
        if bad and chance.random() < 0.93  # noqa: PLR2004 - a share
        else chance.choices(FAILURES, [weight for *_, weight in FAILURES])[0][:4]
    )
    return {"reason": "exit", "exitCode": code, "script": script, "line": line, "command": command}


def _request(chance: random.Random, system: str, context: dict[str, Any]) -> dict[str, Any]:
    first = chance.choice(
        ("ada", "grace", "linus", "edsger", "barbara", "ken", "radia", "dennis", "mary", "tim")
    )
    site = chance.choice(("example.com", "example.org", "example.net"))
    address = f"{first}.{chance.randrange(10, 99)}@{site}"
    return {"os": system, "email": address, "reference": context["installation"]["id"][:8]}


def _context() -> dict[str, Any]:
    return {"library": {"name": "rollcall", "version": "0.1.0"}, "ip": "0.0.0.0"}  # noqa: S104 - no address at all

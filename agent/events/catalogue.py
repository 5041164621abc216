"""The catalogue: every event that may exist, every property it may have, and how it looks on the wire.

What is not in here cannot be built, and what the operator was not shown yet is left out. docs/telemetry.md
is drawn from it. Usage events of the product's own are built apart: it chooses their names and scalars.
"""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import __version__
from agent.base.ids import uuid7
from agent.base.messages import printable
from agent.events.shown import FIRST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.events.facts import System

    Scalar = str | int | float | bool | None

MAX_EVENT_BYTES = 32 * 1024
"""Segment's limit for one event."""

LIBRARY = {"name": "rollcall", "version": __version__}
NO_ADDRESS = "0.0.0.0"  # noqa: S104 - not a place to listen: it keeps a receiver from filling in the peer's
STARTED, SUCCESS, ERRORS = "Installation Started", "Installation Success", "Installation Errors"
SUPPORT, ACTIVE, UPGRADED = "Installation Support", "Instance Active", "Instance Upgraded"
NOT_PRODUCTION = ("ci", "dev", "test", "internal")
"""What may be in `context.installation.environment`; it is left out for production."""
EVERY, PRODUCT, RUN = "all events", "all events but Instance Active", "all installation events"
"""Which events carry a field."""
VERSION = r"[^\0-\x1f\x7f\ud800-\udfff]{1,100}"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
EMAIL = r"(?=.{3,254}$)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"


class NotInCatalogue(Exception):  # noqa: N818 - reads as what it says
    """An event, property or value that may not exist."""


@dataclass(frozen=True)
class Property:
    """One property: a whole number from 0 up where `pattern` is empty, else text of that shape."""

    name: str
    meaning: str
    example: str | int
    pattern: str = ""
    required: bool = True
    since: int = FIRST
    """The version of the catalogue in which it is new: never changed later."""

    def accepts(self, value: object) -> bool:
        if not self.pattern:
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None

    @property
    def type(self) -> str:
        return "text" if self.pattern else "whole number"


@dataclass(frozen=True)
class Kind:
    """One event of the catalogue."""

    name: str
    meaning: str
    properties: tuple[Property, ...]
    about_installation: bool = True
    """Whether it carries the run's id in its context."""
    usage: bool = False
    """Whether it is a usage event: recorded only after a yes to those."""
    since: int = FIRST


@dataclass(frozen=True)
class Field:
    """A field that several events carry beside their properties."""

    path: tuple[str, ...]
    meaning: str
    carried_by: str = EVERY
    example: str = ""
    since: int = FIRST


OS = Property("os", "the ID in os-release", "ubuntu", r"[a-z0-9][a-z0-9._-]{0,31}")
DURATION = Property("durationSeconds", "duration of the install in seconds", 42)
REASON = Property(
    "reason",
    "`exit` (ended with an exit code), `signal` (ended by a signal), `interrupted` (power cut or kill: "
    "how it ended is not known), `not-started` (the command could not be started)",
    "signal",
    "exit|signal|interrupted|not-started",
)
EXIT_CODE = Property("exitCode", "the exit code; 128 + n for signal n", 143, required=False)
SIGNAL = Property("signal", "name of the signal", "SIGTERM", r"SIG[A-Z0-9+-]{1,12}", required=False)
SCRIPT = Property(
    "script",
    "base name of the script that failed, without its folder",
    "install.sh",
    r"[^/\0-\x1f\x7f\ud800-\udfff]{1,64}",
    required=False,
)
LINE = Property("line", "the line that failed", 17, required=False)
COMMAND = Property(
    "command",
    "base name of the program that failed, without its arguments",
    "curl",
    r"[A-Za-z0-9_.+-]{1,64}",
    required=False,
)
COMMAND_EXIT_CODE = Property("commandExitCode", "that program's exit code", 22, required=False, since=2)
EMAIL_ADDRESS = Property("email", "the address that was typed", "operator@example.org", EMAIL)
REFERENCE = Property(
    "reference",
    "first eight characters of the run's id, to quote when asking for help",
    "3f2b8c1d",
    r"[0-9a-f]{8}",
)
INSTANCE = Property("instanceId", "the instance id", "00000000-0000-4000-8000-000000000000", UUID)
FROM_VERSION = Property("from", "the product's version before", "2.4.0", VERSION, since=3)
TO_VERSION = Property("to", "the product's version now", "2.4.1", VERSION, since=3)

CATALOGUE = (
    Kind(STARTED, "an installation starts", (OS,)),
    Kind(SUCCESS, "an installation succeeds", (OS, DURATION)),
    Kind(
        ERRORS,
        "an installation fails",
        (OS, DURATION, REASON, EXIT_CODE, SIGNAL, SCRIPT, LINE, COMMAND, COMMAND_EXIT_CODE),
    ),
    Kind(SUPPORT, "the user asks for help and gives an e-mail address", (OS, EMAIL_ADDRESS, REFERENCE)),
    Kind(ACTIVE, "the product is alive", (INSTANCE,), about_installation=False),
    Kind(
        UPGRADED,
        "a heartbeat finds another version of the product than the last one, after a yes to usage events",
        (FROM_VERSION, TO_VERSION),
        about_installation=False,
        usage=True,
        since=3,
    ),
)
NAMES = tuple(kind.name for kind in CATALOGUE)
NOT_USAGE = tuple(kind.name for kind in CATALOGUE if not kind.usage)
FIELDS = (
    Field(("anonymousId",), "the instance id: a random number, made on this machine from nothing else"),
    Field(
        ("messageId",),
        "the event's own id, made from the time and random bits, so that a receiver keeps it once",
    ),
    Field(("timestamp",), "when it happened, in UTC"),
    Field(("context", "library"), "Rollcall and its version"),
    Field(("context", "ip"), "always `0.0.0.0`, so that a receiver does not put your address there"),
    Field(("context", "app"), "the product and its version, as its vendor set them", PRODUCT),
    Field(("context", "os"), "os-release's `ID` and `VERSION_ID`", PRODUCT),
    Field(
        ("context", "installation", "id"), "a random id of one run, which links its start and its end", RUN
    ),
    Field(
        ("context", "installation", "environment"),
        "what `ROLLCALL_ENVIRONMENT` says: `ci` `dev` `test` or `internal`; `ci` where it is empty and the"
        " variable `CI` is set, but not to 0, false, no or off; left out for production",
        RUN,
        example="ci",
        since=2,
    ),
)
BUNDLE = "Support Bundle"
"""A line of the log, and no event: the bundle itself is sent. No usage event may have its name."""


@dataclass(frozen=True)
class Origin:
    """Who speaks: what every event of this instance has in common."""

    instance: str
    product: str
    product_version: str
    system: System
    shown: int
    """Up to which version of the catalogue the operator was shown it: what is newer is left out."""
    environment: str = ""


def kind(name: str) -> Kind:
    """The catalogue's entry of that name."""
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    raise NotInCatalogue(f"there is no event {name!r}; choose one of: {', '.join(NAMES)}")


def build(
    name: str,
    properties: Mapping[str, object],
    origin: Origin,
    *,
    timestamp: float,
    message_id: str = "",
    installation: str | None = None,
) -> dict[str, object]:
    """An event of the catalogue as it goes out; NotInCatalogue for anything that may not exist.

    Without a `message_id` it gets a new one.
    """
    entry = kind(name)
    if entry.since > origin.shown:
        raise NotInCatalogue(f"{name} is new, and the operator was not shown it yet")
    _check(entry, properties)
    context = {} if name == ACTIVE else _about(origin)
    if entry.about_installation:
        if installation is None or not re.fullmatch(UUID, installation):
            raise NotInCatalogue(f"{name} needs the id of its installation")
        context["installation"] = _installation(installation, origin.environment)
    allowed = {prop.name for prop in entry.properties if prop.since <= origin.shown}
    shown = {key: value for key, value in properties.items() if key in allowed}
    return _track(name, shown, context, origin, timestamp, message_id)


def build_usage(
    name: str, properties: Mapping[str, Scalar], origin: Origin, *, timestamp: float
) -> dict[str, object]:
    """A usage event; NotInCatalogue if it takes a catalogue's name or is larger than may be sent."""
    if " ".join(name.split()).casefold() in {known.casefold() for known in (*NAMES, BUNDLE)}:
        raise NotInCatalogue(f"{name!r} is an event of Rollcall itself; choose another name")
    if not name.strip() or not name.isprintable():
        raise NotInCatalogue("a usage event needs a name of printable characters")
    for key, value in properties.items():
        if not _is_scalar(value):
            raise NotInCatalogue(f"{printable(key)} is not a number, true, false, null or text")
    event = _track(name, dict(properties), _about(origin), origin, timestamp)
    if len(dumps(event).encode()) > MAX_EVENT_BYTES:
        raise NotInCatalogue(f"a usage event may have at most {MAX_EVENT_BYTES} bytes; this one is larger")
    return event


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))


def dumps(event: Mapping[str, object]) -> str:
    """The exact text that is stored, shown and sent."""
    return json.dumps(event, separators=(",", ":"), allow_nan=False)


def _check(entry: Kind, properties: Mapping[str, object]) -> None:
    known = {prop.name: prop for prop in entry.properties}
    for name, value in properties.items():
        if name not in known:
            raise NotInCatalogue(f"{entry.name} has no property {name!r}")
        if not known[name].accepts(value):
            raise NotInCatalogue(f"{entry.name}: {name} is not what the catalogue says it is")
    for prop in entry.properties:
        if prop.required and prop.name not in properties:
            raise NotInCatalogue(f"{entry.name} needs {prop.name}")


def _installation(run: str, environment: str) -> dict[str, str]:
    """The run's id, and what it is for if it is one of the words for that."""
    marked = {"environment": environment} if environment in NOT_PRODUCTION else {}
    return {"id": run, **marked}


def _about(origin: Origin) -> dict[str, object]:
    return {
        "app": {"name": origin.product, "version": origin.product_version},
        "os": {"name": origin.system.name, "version": origin.system.version},
    }


def _track(
    name: str,
    properties: dict[str, object],
    context: dict[str, object],
    origin: Origin,
    timestamp: float,
    message_id: str = "",
) -> dict[str, object]:
    event: dict[str, object] = {
        "type": "track",
        "event": name,
        "anonymousId": origin.instance,
        "messageId": message_id or uuid7(timestamp),
        "timestamp": iso(timestamp),
        "context": {"library": LIBRARY, "ip": NO_ADDRESS} | context,
        "integrations": {},
        "properties": properties,
    }
    for field in FIELDS:
        if field.since > origin.shown:
            _leave_out(event, field.path)
    return event


def _leave_out(event: dict[str, object], path: tuple[str, ...]) -> None:
    holder: object = event
    for name in path[:-1]:
        holder = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(holder, dict):
        holder.pop(path[-1], None)


def iso(seconds: float) -> str:
    """UTC with milliseconds and Z; a clock that is beyond the calendar is held at its ends."""
    millis = min(max(round(seconds * 1000), 0), 253_402_300_799_999)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(millis // 1000)) + f".{millis % 1000:03d}Z"

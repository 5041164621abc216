"""What the collector knows of one event: the row that is kept, and the fact behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

BEAT = "Instance Active"
STARTED = "Installation Started"
SUCCESS = "Installation Success"
ERRORS = "Installation Errors"
SUPPORT = "Installation Support"
CATALOGUE = frozenset({BEAT, STARTED, SUCCESS, ERRORS, SUPPORT})

_LONGEST_TEXT = 200
_LARGEST_NUMBER = 2**31 - 1


class Fact(NamedTuple):
    """What an installation event says; every field is bounded, for anybody may have written it."""

    version: str = ""
    os: str = ""
    os_version: str = ""
    duration: int | None = None  # milliseconds
    reason: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    script: str | None = None
    line: int | None = None
    command: str | None = None
    email: str | None = None
    reference: str | None = None


NOTHING = Fact()


class Event(NamedTuple):
    """One event: the first nine fields are its row, in the order of the table."""

    source: int
    id: bytes
    received: int
    time: int
    type: str
    name: str
    who: bytes | None
    run: bytes | None
    body: str
    fact: Fact | None = None


def fact_of(name: str, context: Mapping[str, Any], properties: Mapping[str, Any]) -> Fact:
    """The fact of a catalogue event; a heartbeat says nothing but that it is there."""
    if name == BEAT:
        return NOTHING
    app, system = mapping(context.get("app")), mapping(context.get("os"))
    return Fact(
        version=short_text(app.get("version")) or "",
        os=short_text(system.get("name")) or short_text(properties.get("os")) or "",
        os_version=short_text(system.get("version")) or "",
        duration=_number(properties.get("durationSeconds"), 1000),
        reason=short_text(properties.get("reason")),
        exit_code=_number(properties.get("exitCode")),
        signal=short_text(properties.get("signal")),
        script=short_text(properties.get("script")),
        line=_number(properties.get("line")),
        command=short_text(properties.get("command")),
        email=short_text(properties.get("email")),
        reference=short_text(properties.get("reference")),
    )


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one: clients send null and worse."""
    return value if isinstance(value, dict) else {}


def short_text(value: object) -> str | None:
    """Text for a column: bounded, and without the NUL that PostgreSQL cannot keep."""
    if not isinstance(value, str) or not value:
        return None
    return value[:_LONGEST_TEXT].replace("\0", "\ufffd")


def _number(value: object, scale: int = 1) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    scaled = value * scale
    return int(scaled) if abs(scaled) <= _LARGEST_NUMBER else None

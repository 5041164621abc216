"""What the collector knows of one event: the row that is kept, and the fact behind it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from collector.base.environments import environment_number
from collector.base.personal import mask_addresses

BEAT = "Instance Active"
STARTED = "Installation Started"
SUCCESS = "Installation Success"
ERRORS = "Installation Errors"
SUPPORT = "Installation Support"
# A usage event: the version in use has changed.
UPGRADED = "Instance Upgraded"
CATALOGUE = frozenset({BEAT, STARTED, SUCCESS, ERRORS, SUPPORT})

_LONGEST_TEXT = 200
# Six counted texts are in one entry of an index of PostgreSQL, which takes 2,704 bytes.
_LONGEST_COUNTED = 400
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
    environment: int = 0  # its place in ENVIRONMENTS


NOTHING = Fact()


class _Fields(NamedTuple):
    """All but the last are the row of an event, in the order of the table."""

    source: int
    id: bytes
    received: int
    time: int
    type: str
    name: str
    who: bytes | None
    run: bytes | None
    body: str
    key: int | None = None  # the number of the write key that it came with
    fact: Fact | None = None


class Event(_Fields):
    """One event. It also holds what was once found out about it (`vars`); a changed copy holds nothing."""


def fact_of(name: str, context: Mapping[str, Any], properties: Mapping[str, Any]) -> Fact:
    """The fact of a catalogue event; a heartbeat says nothing but that it is there."""
    if name == BEAT:
        return NOTHING
    environment = mapping(context.get("installation")).get("environment")
    app, system = mapping(context.get("app")), mapping(context.get("os"))
    return Fact(
        version=counted_word(app.get("version")),
        os=counted_word(system.get("name")) or counted_word(properties.get("os")),
        os_version=counted_word(system.get("version")),
        duration=_number(properties.get("durationSeconds"), 1000),
        reason=counted_text(properties.get("reason")),
        exit_code=_number(properties.get("exitCode")),
        signal=counted_text(properties.get("signal")),
        script=counted_text(properties.get("script")),
        line=_number(properties.get("line")),
        command=counted_text(properties.get("command")),
        email=short_text(properties.get("email")),
        reference=short_text(properties.get("reference")),
        environment=environment_number(environment),
    )


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one: clients send null and worse."""
    return value if isinstance(value, dict) else {}


def short_text(value: object) -> str | None:
    """Text for a column: bounded, and without the NUL that PostgreSQL cannot keep."""
    if not isinstance(value, str) or not value:
        return None
    return value[:_LONGEST_TEXT].replace("\0", "\ufffd")


def counted_text(value: object) -> str | None:
    """Text that is counted, and kept when its event is gone: like `short_text`, and without addresses.

    It is bounded in bytes too, for it is in indexes.
    """
    if not isinstance(value, str) or not value:
        return None
    return _counted_text(value[: 2 * _LONGEST_TEXT])  # an address at the end is still whole


def counted_word(value: object) -> str:
    """A version or system, empty if there is none; without the spaces around it that no address keeps."""
    return (counted_text(value) or "").strip()


@lru_cache(maxsize=4096)
def _counted_text(text: str) -> str | None:
    short = short_text(mask_addresses(text))
    data = (short or "").encode("utf-8", "replace")
    return short if len(data) <= _LONGEST_COUNTED else data[:_LONGEST_COUNTED].decode("utf-8", "ignore")


def _number(value: object, scale: int = 1) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    scaled = value * scale
    return int(scaled) if abs(scaled) <= _LARGEST_NUMBER else None

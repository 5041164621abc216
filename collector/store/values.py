"""Small values that a store is given, or answers with."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

# Where a page of a list ended: a time, and a number that tells apart events of the same time.
PageEnd = tuple[int, int]


@dataclass(frozen=True)
class Space:
    """Bytes that the database takes, and bytes that it can still take; None if it does not know."""

    used: int
    free: int | None


class KeyUsage(NamedTuple):
    """What a write key has added in an hour, counted from 1970."""

    key: int
    hour: int
    events: int
    bytes: int


@dataclass(frozen=True)
class StoredEvent:
    """One event as it is stored."""

    seq: int
    received: int
    time: int
    type: str
    name: str
    who: bytes | None
    run: bytes | None
    body: str = field(repr=False)


@dataclass(frozen=True)
class Forgotten:
    """How much was deleted. The digest is SHA-256 over the events' ids, 16 bytes each, in their order."""

    events: int = 0
    runs: int = 0
    requests: int = 0  # for help
    instances: int = 0
    digest: str = sha256().hexdigest()

"""Small values that a store is given, or answers with."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

# Where a page of a list ended: two numbers that only the store understands, with up to 18 and 39 digits.
PageEnd = tuple[int, int]
# Where no page has ended yet: the latest come first, or the oldest.
NO_PAGE: PageEnd = (10**18 - 1, 10**39 - 1)
FIRST_PAGE: PageEnd = (0, 0)


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
class Cutoffs:
    """What came before these times expires; with 0, nothing of that kind does."""

    beats: int = 0
    events: int = 0
    emails: int = 0
    bundles: int = 0

    @classmethod
    def all_at(cls, before: int) -> Cutoffs:
        """One time for everything."""
        return cls(before, before, before, before)

    @property
    def instances(self) -> int:
        """Nothing of an instance is needed that was last seen before this time."""
        return min(self.beats, self.events)


@dataclass(frozen=True)
class Expired:
    """How much has expired; an e-mail address goes alone, its event stays."""

    beats: int = 0
    events: int = 0
    emails: int = 0
    bundles: int = 0

    @property
    def deleted(self) -> int:
        """How many events."""
        return self.beats + self.events


@dataclass(frozen=True)
class Expiry:
    """When expiry ended last; when something expired last, and how much; None if never."""

    at: int | None = None
    found_at: int | None = None
    found: Expired = Expired()


@dataclass(frozen=True)
class StoredEvent:
    """One event as it is stored."""

    end: PageEnd  # where a page of the list ends that ends with it
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
    bundles: int = 0


class Finding(NamedTuple):
    """Whether something holds where a vendor's own servers are tried, and what was seen."""

    holds: bool
    text: str

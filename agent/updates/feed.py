"""The vendor's feed: releases and advisories of one product. docs/updates.md has its schema.

Only a feed whose signature was verified is parsed.
"""

from __future__ import annotations

import calendar
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.updates.versions import parse_range, version_key

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_FEED = 256 * 1024
MOST_ENTRIES = 1000
LARGEST_SEQUENCE = 2**53
SEVERITIES = ("low", "medium", "high", "critical")
LONGEST_VERSION = 200
TIME = "%Y-%m-%dT%H:%M:%SZ"


class FeedError(Exception):
    """The feed is not valid; the text says where."""


@dataclass(frozen=True)
class Release:
    """One version that the vendor has published."""

    version: str
    date: str
    notes: str
    url: str
    minimum_from: str
    """Only this version or a later one may upgrade to it directly; empty: any."""
    rollout: float
    """To which part of all instances it is offered, 0 to 1."""


@dataclass(frozen=True)
class Advisory:
    """A defect that a user has to know of."""

    id: str
    severity: str
    affected: tuple[str, ...]
    fixed_in: str
    summary: str
    url: str
    date: str


@dataclass(frozen=True)
class Feed:
    """All that the vendor says of one product."""

    product: str
    sequence: int
    expires: str
    releases: tuple[Release, ...]
    advisories: tuple[Advisory, ...]
    public_page: str
    """Where the vendor shows what is counted; empty: nowhere."""

    @property
    def expires_at(self) -> float:
        """When it expires, in seconds since 1970."""
        return calendar.timegm(time.strptime(self.expires, TIME))


def parse_feed(data: bytes) -> Feed:
    """The feed in these bytes; FeedError names the first thing that is wrong."""
    if len(data) > LONGEST_FEED:
        raise FeedError(f"the feed is longer than {LONGEST_FEED // 1024} KiB")
    try:
        whole = json.loads(data.decode(), parse_constant=_no_number)
    except RecursionError:
        raise FeedError("the feed is nested too deeply") from None
    except ValueError as why:
        raise FeedError(f"the feed is not valid JSON: {why}") from None
    fields = _Fields(whole, "the feed")
    if fields.take("format", lambda value: type(value) is int, "a number") != 1:
        raise FeedError("the feed: format is not 1; a newer Rollcall may read it")
    feed = Feed(
        product=fields.text("product"),
        sequence=fields.take("sequence", _is_sequence, "a whole number from 0 to 2^53"),
        expires=fields.take("expires", _is_time, "a time such as 2027-01-31T00:00:00Z"),
        releases=tuple(_release(entry) for entry in fields.entries("releases")),
        advisories=tuple(_advisory(entry) for entry in fields.entries("advisories")),
        public_page=fields.url("publicPage"),
    )
    if len({version_key(release.version) for release in feed.releases}) < len(feed.releases):
        raise FeedError("the feed: two releases have the same version")
    return feed


def _release(entry: _Fields) -> Release:
    return Release(
        version=entry.version("version"),
        date=entry.text("date"),
        notes=entry.text("notes", ""),
        url=entry.url("url"),
        minimum_from=entry.version("minimumFrom", ""),
        rollout=float(entry.take("rollout", _is_share, "a number from 0 to 1", 1)),
    )


def _advisory(entry: _Fields) -> Advisory:
    return Advisory(
        id=entry.text("id"),
        severity=entry.take("severity", lambda value: value in SEVERITIES, " or ".join(SEVERITIES)),
        affected=tuple(entry.take("affected", _are_ranges, 'a list of ranges such as ">=1.0, <1.4.2"')),
        fixed_in=entry.version("fixedIn", ""),
        summary=entry.text("summary"),
        url=entry.url("url"),
        date=entry.text("date"),
    )


class _Fields:
    """One object of the feed. Names that are not known are left for a later format."""

    def __init__(self, found: object, where: str) -> None:
        if not isinstance(found, dict):
            raise FeedError(f"{where} is not an object")
        self._found = found
        self._where = where

    def take(self, name: str, fits: Callable[[Any], bool], accepted: str, default: Any = None) -> Any:  # noqa: ANN401
        value = self._found.get(name)
        value = default if value is None else value
        if value is None or not fits(value):
            raise FeedError(f"{self._where}: {name} is not {accepted}")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        return str(self.take(name, _is_text, "text", default))

    def version(self, name: str, default: str | None = None) -> str:
        return str(
            self.take(name, lambda value: value == default or _is_version(value), "a version", default)
        )

    def url(self, name: str) -> str:
        """An address; empty if there is none."""
        return str(self.take(name, _is_url, "an http or https address", ""))

    def entries(self, name: str) -> list[_Fields]:
        found = self.take(name, lambda value: isinstance(value, list), "a list", [])
        if len(found) > MOST_ENTRIES:
            raise FeedError(f"{self._where}: {name} has more than {MOST_ENTRIES} entries")
        return [_Fields(entry, f"{name}[{number}]") for number, entry in enumerate(found)]


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _is_text(value: object) -> bool:
    """Text that can be written as UTF-8, which half a surrogate cannot."""
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)


def _is_version(value: object) -> bool:
    try:
        return isinstance(value, str) and len(value) <= LONGEST_VERSION and bool(version_key(value))
    except ValueError:
        return False


def _is_url(value: object) -> bool:
    scheme, _, rest = str(value).partition("://")
    plain = isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value
    return plain and (not value or (scheme in ("http", "https") and bool(rest)))


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(time.strptime(value, TIME))
    except ValueError:
        return False


def _is_sequence(value: object) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_SEQUENCE


def _is_share(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1  # type: ignore[operator]


def _are_ranges(value: object) -> bool:
    try:
        return isinstance(value, list) and bool(value) and all(_is_range(text) for text in value)
    except ValueError:
        return False


def _is_range(text: object) -> bool:
    if not isinstance(text, str) or len(text) > LONGEST_VERSION:
        return False
    parse_range(text)  # ValueError if it is none
    return True

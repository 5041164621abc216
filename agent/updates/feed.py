"""A vendor's feed: what the JSON must be, and what is read out of it. docs/updates.md describes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from agent.updates.versions import LONGEST, in_range, version_key

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES = 256 * 1024
FORMAT = 1
SEVERITIES = ("low", "medium", "high", "critical")
_MOST_NUMBER = 2**53
_LONG, _LINE = 4000, 200
ALL = 100.0


class NotAFeed(Exception):  # noqa: N818 - reads as what it says
    """Something in the feed is not as it must be; the text says what and where."""


@dataclass(frozen=True)
class Release:
    """A version that exists."""

    version: str
    date: str
    notes: str
    url: str
    minimum_from: str | None
    """The earliest version from which one may go to this one directly."""
    rollout: float
    """For how many of a hundred instances it is meant today."""


@dataclass(frozen=True)
class Advisory:
    """Something that is wrong with some versions."""

    id: str
    severity: str
    affected: tuple[str, ...]
    """Ranges of versions, such as `>=1.2 <1.4.1`; one of them is enough."""
    fixed_in: tuple[str, ...]
    summary: str
    url: str
    date: str


@dataclass(frozen=True)
class Feed:
    """What a vendor has published of one product."""

    product: str
    sequence: int
    expires: float
    releases: tuple[Release, ...]
    advisories: tuple[Advisory, ...]


def parse_feed(data: bytes) -> Feed:
    """The feed in these bytes, which were verified before. NotAFeed if it is none."""
    if len(data) > MOST_BYTES:
        raise NotAFeed(f"it is larger than {MOST_BYTES // 1024} KiB")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise NotAFeed("it is not JSON") from None
    feed = _Part(found, "the feed")
    if feed.number("format", FORMAT, FORMAT) != FORMAT:
        raise NotAFeed("its format is not 1")
    return Feed(
        product=feed.text("product", _LINE),
        sequence=int(feed.number("sequence", 0, _MOST_NUMBER)),
        expires=feed.time("expires"),
        releases=tuple(_release(part) for part in feed.parts("releases")),
        advisories=tuple(_advisory(part) for part in feed.parts("advisories")),
    )


def _release(part: _Part) -> Release:
    return Release(
        version=part.version("version"),
        date=part.date("date"),
        notes=part.text("notes", _LONG, default=""),
        url=part.url("url"),
        minimum_from=part.version("minimumFrom") if part.has("minimumFrom") else None,
        rollout=part.number("rollout", 0, ALL) if part.has("rollout") else ALL,
    )


def _advisory(part: _Part) -> Advisory:
    severity = part.text("severity", _LINE)
    if severity not in SEVERITIES:
        raise part.wrong("severity", f"one of {', '.join(SEVERITIES)}")
    return Advisory(
        id=part.text("id", LONGEST),
        severity=severity,
        affected=part.texts("affected", lambda text: in_range("1", text), least=1),
        fixed_in=part.texts("fixedIn", version_key, least=0),
        summary=part.text("summary", _LONG),
        url=part.url("url"),
        date=part.date("date"),
    )


class _Part:
    """An object of the feed, and where in it that is."""

    def __init__(self, found: object, where: str) -> None:
        if not isinstance(found, dict):
            raise NotAFeed(f"{where} is not an object")
        self._found, self._where = found, where

    def has(self, name: str) -> bool:
        return self._found.get(name) is not None

    def wrong(self, name: str, wanted: str) -> NotAFeed:
        return NotAFeed(f"`{name}` of {self._where} is not {wanted}")

    def text(self, name: str, longest: int, default: str | None = None) -> str:
        found = self._found.get(name)
        if found is None and default is not None:
            return default
        if not isinstance(found, str) or not len(found) <= longest or (default is None and not found):
            raise self.wrong(name, f"a text of at most {longest} characters")
        return found

    def number(self, name: str, least: float, most: float) -> float:
        found = self._found.get(name)
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not least <= found <= most:
            raise self.wrong(name, f"a number from {least:g} to {most:g}")
        return found

    def version(self, name: str) -> str:
        text = self.text(name, LONGEST)
        try:
            version_key(text)
        except ValueError:
            raise self.wrong(name, "a version") from None
        return text

    def texts(self, name: str, check: Callable[[str], object], *, least: int) -> tuple[str, ...]:
        found = self._found.get(name, [])
        wrong = self.wrong(name, "a list of ranges of versions" if least else "a list of versions")
        if not isinstance(found, list) or len(found) < least:
            raise wrong
        try:
            for text in found:
                check(text)
        except (ValueError, TypeError, AttributeError):
            raise wrong from None
        return tuple(found)

    def date(self, name: str) -> str:
        text = self.text(name, _LINE)
        try:
            datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
        except ValueError:
            raise self.wrong(name, "a date such as 2027-01-31") from None
        return text

    def time(self, name: str) -> float:
        text = self.text(name, _LINE)
        try:
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
        except ValueError:
            raise self.wrong(name, "a time such as 2027-01-31T00:00:00Z") from None

    def url(self, name: str) -> str:
        text = self.text(name, _LONG, default="")
        plain = text.isascii() and text.isprintable() and " " not in text
        if text and not (plain and text.startswith(("https://", "http://"))):
            raise self.wrong(name, "an address that begins with https://")
        return text

    def parts(self, name: str) -> list[_Part]:
        found = self._found.get(name, [])
        if not isinstance(found, list):
            raise self.wrong(name, "a list")
        return [_Part(each, f"{name}[{number}]") for number, each in enumerate(found)]

"""The schema of a release feed. docs/updates.md describes it; the agents of the fleet check the same."""

from __future__ import annotations

import calendar
import re
import time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from collector.admin import AdminError

LONGEST_FEED = 256 * 1024
MOST_ENTRIES = 1000
LARGEST_SEQUENCE = 2**53
TIME = "%Y-%m-%dT%H:%M:%SZ"

Version = Annotated[str, Meta(max_length=200)]
_EPOCH = re.compile(r"[a-z]*([0-9]+)!")
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_PARTS = re.compile(r"[0-9]+|[a-z]+")
# Words that say no more than the numbers before them, and those that instances take for another one.
_FINAL = frozenset({"final", "ga", "release"})
_ALIKE = {
    "alpha": "a",
    "beta": "b",
    **dict.fromkeys(("c", "pre", "preview"), "rc"),
    **dict.fromkeys(("rev", "r", "p", "pl", "patch", "sp", "hotfix", "security"), "post"),
}
_COMPARISON = re.compile(r"(?:<=|>=|==|<|>)(.*)", re.DOTALL)
_URL = re.compile(r"https?://[!-~]+")


class Release(msgspec.Struct, rename="camel"):
    """One version that the vendor has published."""

    version: Version
    date: str
    notes: str | None = None
    url: str | None = None
    minimum_from: Version | None = None
    rollout: Annotated[float, Meta(ge=0, le=1)] | None = None


class Advisory(msgspec.Struct, rename="camel"):
    """A defect that a user has to know of."""

    id: str
    severity: Literal["low", "medium", "high", "critical"]
    affected: Annotated[list[Version], Meta(min_length=1)]
    summary: str
    date: str
    fixed_in: Version | None = None
    url: str | None = None


class Feed(msgspec.Struct, rename="camel"):
    """All that the vendor says of one product. Fields that are not known are ignored."""

    format: Literal[1]
    product: str
    sequence: Annotated[int, Meta(ge=0, le=LARGEST_SEQUENCE)]
    expires: str
    releases: Annotated[list[Release], Meta(max_length=MOST_ENTRIES)] | None = None
    advisories: Annotated[list[Advisory], Meta(max_length=MOST_ENTRIES)] | None = None
    public_page: str | None = None

    @property
    def expires_at(self) -> int:
        """In milliseconds since 1970."""
        return calendar.timegm(time.strptime(self.expires, TIME)) * 1000


def parse_feed(data: bytes) -> Feed:
    """The feed in these bytes, to be published. AdminError names the first thing that is wrong."""
    if len(data) > LONGEST_FEED:
        raise AdminError(f"the feed is longer than {LONGEST_FEED // 1024} KiB")
    feed = read_feed(data)
    _check_feed(feed)
    return feed


def read_feed(data: bytes) -> Feed:
    """The feed in bytes that may have been published before there were some of today's checks."""
    try:
        return msgspec.json.decode(data.decode(), type=Feed)
    except RecursionError:
        raise AdminError("the feed is nested too deeply") from None
    except ValueError as why:  # of msgspec too
        raise AdminError(f"the feed is not valid: {why}") from None


def _check_feed(feed: Feed) -> None:
    """What a type cannot say."""
    try:
        time.strptime(feed.expires, TIME)
    except ValueError:
        raise AdminError("the feed: expires is not a time such as 2027-01-31T00:00:00Z") from None
    _check_url(feed.public_page, "the feed", "publicPage")
    for number, release in enumerate(feed.releases or ()):
        where = f"releases[{number}]"
        _check_version(release.version, f"{where}: version")
        _check_version(release.minimum_from or release.version, f"{where}: minimumFrom")
        _check_url(release.url, where)
    for number, one in enumerate(feed.advisories or ()):
        where = f"advisories[{number}]"
        _check_version(one.fixed_in or "0", f"{where}: fixedIn")
        _check_url(one.url, where)
        if not all(map(_is_range, one.affected)):
            raise AdminError(f'{where}: affected is not a list of ranges such as ">=1.0, <1.4.2"')
    spelled = [_plain(release.version) for release in feed.releases or ()]
    if len(set(spelled)) < len(spelled):
        raise AdminError("the feed: two releases have the same version")


def _check_version(version: str, where: str) -> None:
    if not _has_number(version):
        raise AdminError(f"{where} is not a version")


def _check_url(url: str | None, where: str, name: str = "url") -> None:
    if url and not _URL.fullmatch(url):
        raise AdminError(f"{where}: {name} is not an http or https address")


def _is_range(text: str) -> bool:
    found = [_COMPARISON.fullmatch(part.strip()) for part in text.split(",")]
    return text.strip() == "*" or all(one is not None and _has_number(one[1]) for one in found)


def _has_number(version: str) -> bool:
    """Whether it has a number to compare, besides an epoch."""
    text = version.strip().lower().partition("+")[0]
    epoch = _EPOCH.match(text)
    return _NUMBERS.search(text, epoch.end() if epoch else 0) is not None


def _plain(version: str) -> str:
    """A version in the one spelling of all that instances compare as the same."""
    text, _, build = version.strip().lower().partition("+")
    epoch = _EPOCH.match(text)
    numbers = _NUMBERS.search(text, epoch.end() if epoch else 0)
    if numbers is None:
        return text
    release = re.sub(r"(\.0+)+\Z|\b0+(?=[0-9])", "", numbers[0])
    words = [word for word in _PARTS.findall(text[numbers.end() :]) if word not in _FINAL]
    parts = (epoch[1] if epoch else "0", *words, "+", *_PARTS.findall(build))
    return " ".join((release, *map(_alike, parts)))


def _alike(part: str) -> str:
    return str(int(part)) if part.isdigit() else _ALIKE.get(part, part)

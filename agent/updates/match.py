"""What in a feed concerns the version that runs here. Only this machine knows; the vendor learns nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.updates.feed import SEVERITIES
from agent.updates.versions import in_range, version_key

if TYPE_CHECKING:
    from agent.updates.feed import Advisory, Feed, Release

CURRENT, NEWER, ADVISORY, UNKNOWN = "current", "newer", "advisory", "unknown"


@dataclass(frozen=True)
class Verdict:
    """What concerns this version."""

    state: str
    """`unknown` if the version in use is not one that can be compared."""
    next: Release | None = None
    """Where one may go from here directly."""
    latest: Release | None = None
    advisories: tuple[Advisory, ...] = ()
    """The worst first."""


def match(feed: Feed, version: str, place: float) -> Verdict:
    """What concerns a version; `place` (0 to 100) is where this instance stands in staged rollouts."""
    try:
        own = version_key(version)
    except ValueError:
        return Verdict(UNKNOWN)
    meant = [one for one in feed.releases if place < one.rollout and version_key(one.version) > own]
    meant.sort(key=lambda one: version_key(one.version))
    direct = [one for one in meant if one.minimum_from is None or version_key(one.minimum_from) <= own]
    concerning = [
        one for one in feed.advisories if any(in_range(version, affected) for affected in one.affected)
    ]
    concerning.sort(key=lambda one: SEVERITIES.index(one.severity), reverse=True)
    return Verdict(
        ADVISORY if concerning else NEWER if meant else CURRENT,
        direct[-1] if direct else None,
        meant[-1] if meant else None,
        tuple(concerning),
    )

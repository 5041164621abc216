"""What a feed means for one version, decided on this machine: nobody is told which version asks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from agent.updates.feed import SEVERITIES, Advisory, Feed, Release
from agent.updates.versions import in_range, version_key


@dataclass(frozen=True)
class Match:
    """What concerns this version: advisories, the worst first, and newer releases, the newest first."""

    advisories: tuple[Advisory, ...]
    newer: tuple[Release, ...]
    next: Release | None
    """The newest release that this version may upgrade to directly."""


def match_version(feed: Feed, version: str, seed: str) -> Match:
    """What the feed means for this version. ValueError if the version has no number.

    `seed` is random and kept on this machine. It decides whether a staged release is offered here.
    """
    mine = version_key(version)
    newer = [
        release
        for release in feed.releases
        if version_key(release.version) > mine and is_offered(release, seed)
    ]
    newer.sort(key=lambda release: version_key(release.version), reverse=True)
    direct = [one for one in newer if not one.minimum_from or version_key(one.minimum_from) <= mine]
    advisories = [one for one in feed.advisories if any(in_range(mine, text) for text in one.affected)]
    advisories.sort(key=lambda one: SEVERITIES.index(one.severity), reverse=True)
    return Match(tuple(advisories), tuple(newer), direct[0] if direct else None)


def is_offered(release: Release, seed: str) -> bool:
    """Whether a staged release is offered here. One that is stays so while the vendor raises the share."""
    return share_of(f"{seed} {release.version}") < release.rollout


def share_of(text: str) -> float:
    """A number from 0 up to 1 that the text decides, spread evenly over all texts."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48

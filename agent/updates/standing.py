"""What the kept feed means for the version that runs here, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.base.messages import printable
from agent.updates.feed import FeedError
from agent.updates.kept import KeptFeed, RefusedFeed, VerifiedFeed, verified
from agent.updates.matching import Match, match_version
from agent.updates.minisign import CannotVerify, SignatureError, parse_keys

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.updates.feed import Advisory, Release

UNBELIEVED = (SignatureError, FeedError, RefusedFeed, CannotVerify)
"""Why a feed is not used."""


@dataclass(frozen=True)
class Standing:
    """What is known of the feed, and what it means for this version."""

    kept: KeptFeed
    found: VerifiedFeed | None = None
    match: Match | None = None
    problem: str | None = None

    @property
    def state(self) -> str:
        if self.match is None:
            return "unknown"
        return "advisory" if self.match.advisories else "newer" if self.match.newer else "current"


def judge(kept: KeptFeed, settings: Settings, now: float) -> Standing:
    """Verify what is kept, and match it with the version that runs here."""
    try:
        found = verified(kept, parse_keys(settings.updates_key), settings.product)
        match = match_version(found.feed, settings.product_version, kept.seed) if found else None
    except UNBELIEVED as why:
        return Standing(kept, problem=f"the feed on this machine is not used: {why}")
    except ValueError:
        version = settings.product_version
        return Standing(kept, problem=f"ROLLCALL_PRODUCT_VERSION {version!r} has no number to compare")
    stale = (
        f"the feed is stale since {found.feed.expires}" if found and found.feed.expires_at <= now else None
    )
    return Standing(kept, found, match, problem=kept.problem or stale)


def answer(standing: Standing, settings: Settings) -> dict[str, object]:
    """What --json prints, and other programs read in updates.json."""
    match, found = standing.match, standing.found
    return {
        "product": settings.product,
        "version": settings.product_version,
        "state": standing.state,
        "next": match.next.version if match and match.next else None,
        "newer": [_release_json(release) for release in match.newer] if match else [],
        "advisories": [_advisory_json(one) for one in match.advisories] if match else [],
        "sequence": found.feed.sequence if found else None,
        "expires": found.feed.expires if found else None,
        "publicPage": (found.feed.public_page or None) if found else None,
        "keyId": found.key.name if found else None,
        "checkedAt": standing.kept.checked_at,
        "problem": standing.problem,
    }


def _release_json(release: Release) -> dict[str, object]:
    return {"version": release.version, "date": release.date, "notes": release.notes, "url": release.url}


def _advisory_json(one: Advisory) -> dict[str, object]:
    return {
        "id": one.id,
        "severity": one.severity,
        "fixedIn": one.fixed_in or None,
        "summary": one.summary,
        "url": one.url,
        "date": one.date,
    }


def summary(standing: Standing) -> str:
    """One line on what concerns this version."""
    match = standing.match
    if match is None:
        return "not known"
    parts = [f"advisory {one.id} ({one.severity})" for one in match.advisories]
    if match.newer:
        parts.append(f"{match.newer[0].version} is available")
    return printable(", ".join(parts)) or "up to date"

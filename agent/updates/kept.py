"""The last good feed, kept in updates.json, and which feed may take its place."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.base.files import read_small, replace_file
from agent.events.catalogue import iso
from agent.updates.feed import LONGEST_FEED, Feed, parse_feed
from agent.updates.minisign import PublicKey, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.base.statedir import StateDir

MAX_BYTES = 16 * LONGEST_FEED
"""The feed as text in JSON, and once more what of it concerns this version."""
SEED_BYTES = 16


class RefusedFeed(Exception):  # noqa: N818 - reads as what it says
    """The feed is signed and valid, and still not taken; the text says why."""


@dataclass(frozen=True)
class KeptFeed:
    """What this machine knows of the vendor's feed; `feed` and `signature` are empty before the first."""

    seed: str
    feed: str = ""
    signature: str = ""
    checked_at: str | None = None
    problem: str | None = None
    """Why the last check brought nothing; None if it went well."""
    problem_since: str | None = None


@dataclass(frozen=True)
class VerifiedFeed:
    """A feed and the key that signed it."""

    feed: Feed
    key: PublicKey


def read_kept(state: StateDir) -> KeptFeed | None:
    """What was kept; None if there is nothing, or nothing that is ours."""
    try:
        data = json.loads(read_small(state.updates, MAX_BYTES))
        kept = KeptFeed(
            seed=data["seed"],
            feed=data["feed"],
            signature=data["signature"],
            checked_at=data["checkedAt"],
            problem=data["problem"],
            problem_since=data["problemSince"],
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    texts = (kept.seed, kept.feed, kept.signature)
    notes = (kept.checked_at, kept.problem, kept.problem_since)
    ours = all(isinstance(text, str) for text in texts)
    return kept if ours and all(note is None or isinstance(note, str) for note in notes) else None


def new_kept() -> KeptFeed:
    """For a machine that has no feed yet."""
    return KeptFeed(secrets.token_hex(SEED_BYTES))


def write_kept(state: StateDir, kept: KeptFeed, answer: Mapping[str, object]) -> None:
    """Keep it, with the answer that `updates --json` gives for it, for other programs to read."""
    data = {
        **answer,
        "seed": kept.seed,
        "checkedAt": kept.checked_at,
        "problem": kept.problem,
        "problemSince": kept.problem_since,
        "feed": kept.feed,
        "signature": kept.signature,
    }
    state.make()
    replace_file(state.updates, (json.dumps(data, ensure_ascii=False) + "\n").encode())


def take_feed(
    kept: KeptFeed, data: bytes, signature: str, *, keys: list[PublicKey], product: str, now: float
) -> KeptFeed:
    """`kept` with this feed in its place, verified before it is parsed.

    SignatureError, FeedError or RefusedFeed where the feed is not to be believed.
    """
    verify(data, signature, keys)
    feed = parse_feed(data)
    _check_product(feed, product)
    if feed.expires_at <= now:
        raise RefusedFeed(f"the feed has expired: stale since {feed.expires}")
    if kept.feed and data != kept.feed.encode():
        before = parse_feed(kept.feed.encode())
        if before.product == product:  # another product's feed counts by itself
            _check_order(before.sequence, feed.sequence)
    return replace(
        kept,
        feed=data.decode(),
        signature=signature,
        checked_at=iso(now),
        problem=None,
        problem_since=None,
    )


def _check_product(feed: Feed, product: str) -> None:
    if feed.product != product:
        raise RefusedFeed(f"the feed is of the product {feed.product!r}, not of {product!r}")


def _check_order(kept: int, offered: int) -> None:
    """Going back would hide an advisory that is known here already."""
    if offered < kept:
        raise RefusedFeed(f"the feed goes back: its sequence is {offered}, and {kept} is known here")
    if offered == kept:
        raise RefusedFeed(f"the feed differs from the one that is known here, with the same sequence {kept}")


def note_problem(kept: KeptFeed, problem: str, now: float) -> KeptFeed:
    """`kept` after a check that brought nothing; the last good feed stays."""
    since = kept.problem_since if kept.problem == problem else None
    return replace(kept, checked_at=iso(now), problem=problem, problem_since=since or iso(now))


def verified(kept: KeptFeed, keys: list[PublicKey], product: str) -> VerifiedFeed | None:
    """The kept feed, verified anew by the keys and the product that hold now; None if there is none yet."""
    if not kept.feed:
        return None
    data = kept.feed.encode()
    key = verify(data, kept.signature, keys)
    feed = parse_feed(data)
    _check_product(feed, product)
    return VerifiedFeed(feed, key)

"""Whether a feed is to be believed: signed by the vendor, of this product, newer than the last, in time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.updates.feed import NotAFeed, parse_feed
from agent.updates.minisign import NotSigned, parse_public_key, verify

if TYPE_CHECKING:
    from agent.updates.feed import Feed
    from agent.updates.minisign import PublicKey


class Refused(Exception):  # noqa: N818 - reads as what it says
    """The feed is not taken; the text says why."""


def keys_of(setting: str) -> list[PublicKey]:
    """The keys in ROLLCALL_UPDATES_KEY; ValueError if one is none."""
    return [parse_public_key(text) for text in setting.split()]


def read_signed(data: bytes, signature: bytes, keys: list[PublicKey], product: str) -> Feed:
    """The feed of this product in the bytes, which are verified before anything reads them."""
    try:
        verify(data, signature, keys)
        feed = parse_feed(data)
    except (NotSigned, NotAFeed) as why:
        raise Refused(str(why)) from None
    if feed.product != product:
        raise Refused("it is the feed of another product")
    return feed


def check_newer(feed: Feed, kept: Feed | None, now: float) -> None:
    """Refuse a feed that has expired, or that is not newer than the one that is kept."""
    if feed.expires <= now:
        raise Refused(f"it has expired on {day(feed.expires)}")
    if kept is not None and feed.sequence <= kept.sequence:
        raise Refused(f"its sequence {feed.sequence} is not above {kept.sequence}, which is known already")


def day(at: float) -> str:
    """The day of a time."""
    return time.strftime("%Y-%m-%d", time.gmtime(at))

"""Asks the vendor's server for the feed. The question says nothing of who asks; see docs/updates.md."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import requests
import urllib3

from agent.base.deadline import TookTooLong, within
from agent.delivery.failures import failure_text
from agent.delivery.route import Unpassable, find_route, open_session
from agent.updates.feed import MOST_BYTES
from agent.updates.minisign import SUFFIX

if TYPE_CHECKING:
    from agent.config.access import Access

MOST_SIGNATURE = 4096
SECONDS, CONNECT_SECONDS = 15.0, 5.0
HEADERS = {"User-Agent": "rollcall", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
OK, NOT_MODIFIED = 200, 304


class NotFetched(Exception):  # noqa: N818 - reads as what it says
    """The feed could not be had; the text says why."""


def fetch_feed(url: str, access: Access, kept: bytes | None) -> tuple[bytes, bytes] | None:
    """The feed and its signature; None if it is the one that is kept. Returns in time, whatever happens."""
    route = find_route(url, access)
    try:
        return within(SECONDS, lambda: _fetch(open_session(url, route, access.ca_file), url, kept))
    except TookTooLong:
        raise NotFetched(f"no answer within {SECONDS:.0f} s") from None
    except (
        Unpassable,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
        ValueError,
    ) as why:
        text = failure_text(why, route).replace("ROLLCALL_ENDPOINT", "ROLLCALL_UPDATES_URL")
        raise NotFetched(text.replace("the endpoint", "the server")) from None


def tag_of(feed: bytes) -> str:
    """The ETag of a feed, made from its bytes alone: one that a server chose could tell instances apart."""
    return f'"{hashlib.sha256(feed).hexdigest()}"'


def _fetch(session: requests.Session, url: str, kept: bytes | None) -> tuple[bytes, bytes] | None:
    with session:
        session.headers.clear()
        session.headers.update(HEADERS)
        feed = _get(session, url, MOST_BYTES, {} if kept is None else {"If-None-Match": tag_of(kept)})
        if feed is None or feed == kept:
            return None
        return feed, _get(session, url + SUFFIX, MOST_SIGNATURE, {}) or b""


def _get(session: requests.Session, url: str, most: int, headers: dict[str, str]) -> bytes | None:
    """The bytes there; None if they have not changed."""
    times = (CONNECT_SECONDS, SECONDS)
    with session.get(url, headers=headers, timeout=times, allow_redirects=False, stream=True) as answer:
        if answer.status_code == NOT_MODIFIED:
            return None
        if answer.status_code != OK:
            raise NotFetched(f"{answer.status_code}: check ROLLCALL_UPDATES_URL; redirects are not followed")
        data: bytes = answer.raw.read(most + 1)
        if len(data) > most:
            raise NotFetched(f"the answer is larger than {most // 1024} KiB")
        return data

"""Asks for the feed over HTTP. The request says nothing about who asks: docs/updates.md has its bytes."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

import requests
import urllib3

from agent.base.deadline import TookTooLong, within
from agent.delivery.failures import Target, check_route, failure_text
from agent.delivery.route import Unpassable, find_route, open_session
from agent.updates.feed import LONGEST_FEED
from agent.updates.minisign import LONGEST_SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config.access import Access

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
CHECK_SECONDS = 30.0
"""For all of it: the feed, and its signature where the feed is another than before."""
HEADERS = {
    "User-Agent": "rollcall",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
OK, NOT_MODIFIED = 200, 304
TARGET = Target("the server of the feed", "ROLLCALL_UPDATES_URL")


class FetchError(Exception):
    """There is no feed to be had now; the text says why and what to check."""


def entity_tag(data: bytes) -> str:
    """The name of this content. It is computed, so a server cannot give each asker one of its own."""
    return f'"{hashlib.sha256(data).hexdigest()}"'


def fetch_feed(
    url: str, access: Access, known: bytes, still_allowed: Callable[[], bool]
) -> tuple[bytes, str] | None:
    """The feed and its signature; None if the feed is the one that is known. FetchError otherwise.

    The second is asked for only if that is `still_allowed`: a refusal can come while the first is on its way.
    """
    route = find_route(url, access)
    try:
        return within(CHECK_SECONDS, lambda: _fetch(url, access, known, still_allowed))
    except TookTooLong:
        where = check_route(route, TARGET)
        raise FetchError(f"{TARGET.who}: no answer within {CHECK_SECONDS:.0f} s; {where}") from None
    except (Unpassable, requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as why:
        raise FetchError(failure_text(why, route, TARGET)) from None


def _fetch(
    url: str, access: Access, known: bytes, still_allowed: Callable[[], bool]
) -> tuple[bytes, str] | None:
    with closing(open_session(url, find_route(url, access), access.ca_file)) as session:
        session.headers.clear()
        session.headers.update(HEADERS)
        tag = {"If-None-Match": entity_tag(known)} if known else {}
        data = _get(session, url, tag, LONGEST_FEED)
        if data is None or data == known:
            return None
        if not still_allowed():
            raise FetchError("telemetry was turned off meanwhile")
        signature = _get(session, url + ".minisig", {}, LONGEST_SIGNATURE)
        return data, (signature or b"").decode("utf-8", "replace")


def _get(session: requests.Session, url: str, headers: dict[str, str], longest: int) -> bytes | None:
    """What is there; None if that is known. No redirect is followed, and no more is read than `longest`."""
    times = (CONNECT_SECONDS, READ_SECONDS)
    with session.get(url, headers=headers, timeout=times, allow_redirects=False, stream=True) as answer:
        if answer.status_code == NOT_MODIFIED and headers:
            return None
        if answer.status_code != OK:
            what = "redirects are not followed" if answer.is_redirect else f"check {TARGET.setting}"
            raise FetchError(f"{TARGET.who} answers {answer.status_code}; {what}")
        data: bytes = answer.raw.read(longest + 1)
        if len(data) > longest:
            raise FetchError(f"{TARGET.who} sends more than {longest // 1024} KiB")
        return data

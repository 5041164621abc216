"""Sends one batch over HTTP and says what its receiver did with it. It never retries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Union

import requests
import urllib3

from agent import __version__
from agent.base.deadline import TookTooLong, within
from agent.delivery.backoff import LONGEST_WAIT
from agent.delivery.failures import check_route, failure_text
from agent.delivery.rejected import rejected_in
from agent.delivery.route import Unpassable, find_route, open_session
from agent.events.catalogue import iso

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config.access import Access
    from agent.delivery.route import Route

UNDELIVERED = (Unpassable, requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
"""What may be raised where nothing was delivered."""
CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
ATTEMPT_SECONDS = CONNECT_SECONDS + READ_SECONDS
LONGEST_ANSWER = 64 * 1024
"""An answer up to this size is read: for the rejects that it lists, and to use the connection again."""

WEB_PAGE = "a web page answers in its place, as a sign-in page of a network does: check ROLLCALL_ENDPOINT"
BLANK = b"\xef\xbb\xbf \t\r\n"
"""What may stand before a page's first tag: a byte order mark and blanks."""

TRY_LATER = frozenset({408, 425, 429})
OFFENDED = frozenset({400, 413, 422})
HINTS = {
    401: "check the write key (ROLLCALL_WRITE_KEY)",
    403: "check the write key (ROLLCALL_WRITE_KEY)",
    407: "the proxy wants a user and a password: put them into the URL in ROLLCALL_PROXY",
}


@dataclass(frozen=True)
class Delivered:
    """The receiver took the batch, but for the events in `rejected`: their places, and why."""

    rejected: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RetryLater:
    """Not now; `after` is how many seconds the receiver asked for, None if it did not say.

    `answered` is whether anything came back at all.
    """

    after: float | None
    why: str
    answered: bool = False


@dataclass(frozen=True)
class Rejected:
    """The receiver will never accept something in the batch."""

    why: str


BatchOutcome = Union[Delivered, RetryLater, Rejected]


class Transport:
    """Owns the connection to one endpoint."""

    def __init__(self, endpoint: str, access: Access, *, now: Callable[[], float]) -> None:
        self._url = f"{endpoint}/v1/batch"
        self._access = access
        self._route = find_route(endpoint, access)
        self._now = now
        self._session: requests.Session | None = None

    def send(self, events: list[str], seconds: float) -> BatchOutcome:
        """Post the events as one batch; returns within `seconds`, whatever the network does.

        Each event is JSON already. It is sent exactly as it was stored and shown.
        """
        body = f'{{"batch":[{",".join(events)}],"sentAt":"{iso(self._now())}"}}'.encode()
        limit = min(seconds, ATTEMPT_SECONDS)
        judged: list[BatchOutcome] = []
        why = ""
        try:
            session = self._session = self._session or open_endpoint(self._url, self._route, self._access)
            within(limit, lambda: self._post(session, body, len(events), judged))
        except TookTooLong:
            self._session = None
            why = f"no answer within {limit:.0f} s; {check_route(self._route)}"
        except UNDELIVERED as failure:
            why = failure_text(failure, self._route)
        return judged[-1] if judged else RetryLater(None, why)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _post(self, session: requests.Session, body: bytes, count: int, judged: list[BatchOutcome]) -> None:
        """Post, and judge by the answer's head, for its body may never end; but look into a web page."""
        times = (CONNECT_SECONDS, READ_SECONDS)
        with session.post(self._url, data=body, timeout=times, allow_redirects=False, stream=True) as answer:
            outcome = judge(answer.status_code, answer.headers.get("Retry-After"), self._now())
            html = isinstance(outcome, Delivered) and says_html(answer)
            judged.append(judge_page(answer.status_code) if html else outcome)
            if not html and not _may_be_read(answer):
                return
            said: bytes = answer.raw.read(LONGEST_ANSWER)  # what is longer is no JSON when it is cut off
            if html and is_page(said):
                return
            if isinstance(outcome, Delivered):
                judged.append(Delivered(rejected_in(said, count)))


def open_endpoint(url: str, route: Route, access: Access) -> requests.Session:
    """A session that speaks as the agent does. Unpassable where there is no way."""
    session = open_session(url, route, access.ca_file)
    session.headers.update(
        {
            "User-Agent": f"rollcall/{__version__}",
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # so that a bound on what is read is one on what is kept
        }
    )
    session.auth = (access.key, "")
    return session


def _may_be_read(answer: requests.Response) -> bool:
    """Whether its length is small; where none is given, as behind some proxies, whether it is JSON."""
    length = answer.headers.get("Content-Length")
    if length is not None:
        return int(length) <= LONGEST_ANSWER
    return answer.headers.get("Content-Type", "").startswith("application/json")


def says_html(answer: requests.Response) -> bool:
    """Whether it says that it is a web page."""
    return answer.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml"))


def is_page(said: bytes) -> bool:
    """Whether the body of what says so is a page. Some receivers call a plain `ok` HTML."""
    return said.lstrip(BLANK).startswith(b"<")


def judge_page(status: int) -> RetryLater:
    """What a web page means: another than the API answered."""
    return RetryLater(None, f"{status} {_phrase(status)}: {WEB_PAGE}", answered=True)


def judge(status: int, retry_after: str | None, now: float) -> BatchOutcome:
    """What a status means for the batch. After any other status the events wait, and are sent again later."""
    said = f"{status} {_phrase(status)}".strip()
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return Delivered()
    if status in OFFENDED:
        return Rejected(said)
    if status in TRY_LATER or status >= 500:  # noqa: PLR2004
        return RetryLater(_seconds(retry_after, now), said, answered=True)
    hint = HINTS.get(status, "check ROLLCALL_ENDPOINT; redirects are not followed")
    return RetryLater(None, f"{said}: {hint}", answered=True)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _seconds(retry_after: str | None, now: float) -> float | None:
    """Retry-After as seconds from now, given as a number or as a date.

    None for neither, and for a wait of 0 or less: then our own backoff applies.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        wait = float(text)
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
        wait = at.replace(tzinfo=at.tzinfo or timezone.utc).timestamp() - now
    return min(wait, LONGEST_WAIT) if wait > 0 else None

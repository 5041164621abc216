"""Sends one batch over HTTP and says what its receiver did with it. It never retries."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException, RemoteDisconnected
from typing import TYPE_CHECKING, Union

import requests
import urllib3

from agent import __version__
from agent.base.deadline import TookTooLong, within
from agent.delivery.backoff import LONGEST_WAIT
from agent.events.catalogue import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
ATTEMPT_SECONDS = CONNECT_SECONDS + READ_SECONDS
SHORT_BODY = 4096
"""An answer up to this size is read to its end, so that the connection can be used for the next batch."""

TRY_LATER = frozenset({408, 425, 429})
OFFENDED = frozenset({400, 413, 422})


@dataclass(frozen=True)
class Delivered:
    """The receiver took the batch."""


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

    def __init__(self, endpoint: str, write_key: str, *, now: Callable[[], float]) -> None:
        self._url = f"{endpoint}/v1/batch"
        self._key = write_key
        self._now = now
        self._session = self._connect()

    def send(self, events: list[str], seconds: float) -> BatchOutcome:
        """Post the events as one batch; returns within `seconds`, whatever the network does.

        Each event is JSON already. It is sent exactly as it was stored and shown.
        """
        body = f'{{"batch":[{",".join(events)}],"sentAt":"{iso(self._now())}"}}'.encode()
        limit = min(seconds, ATTEMPT_SECONDS)
        judged: list[BatchOutcome] = []
        why = ""
        try:
            within(limit, lambda: self._post(body, judged))
        except TookTooLong:
            self._session = self._connect()
            why = f"no answer within {limit:.0f} s"
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            ValueError,
        ) as failure:
            why = _words(failure)
        return judged[0] if judged else RetryLater(None, why)

    def close(self) -> None:
        self._session.close()

    def _connect(self) -> requests.Session:
        """A session that follows the usual settings of requests: proxies and CA bundles."""
        session = requests.Session()
        session.headers.update({"User-Agent": f"rollcall/{__version__}", "Content-Type": "application/json"})
        session.auth = (self._key, "")
        return session

    def _post(self, body: bytes, judged: list[BatchOutcome]) -> None:
        """Post, and judge by the answer's head: its body may never end."""
        times = (CONNECT_SECONDS, READ_SECONDS)
        with self._session.post(
            self._url, data=body, timeout=times, allow_redirects=False, stream=True
        ) as answer:
            judged.append(judge(answer.status_code, answer.headers.get("Retry-After"), self._now()))
            if int(answer.headers.get("Content-Length", SHORT_BODY + 1)) <= SHORT_BODY:
                answer.raw.read(SHORT_BODY)


def judge(status: int, retry_after: str | None, now: float) -> BatchOutcome:
    """What a status means for the batch. After any other status the events wait, and are sent again later."""
    said = f"{status} {_phrase(status)}".strip()
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return Delivered()
    if status in OFFENDED:
        return Rejected(said)
    if status in TRY_LATER or status >= 500:  # noqa: PLR2004
        return RetryLater(_seconds(retry_after, now), said, answered=True)
    refused = status in (401, 403)
    hint = "check the write key" if refused else "check ROLLCALL_ENDPOINT; redirects are not followed"
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


def _words(why: BaseException) -> str:
    """A network failure in words. Its own text is not used, as it may contain the URL."""
    who = "the proxy" if isinstance(why, requests.exceptions.ProxyError) else "the endpoint"
    for cause in _causes(why):
        if (words := _words_of(cause)) is not None:
            return f"{who}: {words}"
    if isinstance(why, requests.exceptions.Timeout):
        return f"{who}: no answer in time"
    if type(why) is OSError:
        return "the CA bundle was not found; check REQUESTS_CA_BUNDLE"
    return f"{who}: the connection failed ({type(why).__name__})"


def _words_of(cause: BaseException) -> str | None:
    """What one exception in the chain of causes means, if that is known."""
    if isinstance(cause, socket.gaierror):
        return "its name could not be resolved"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({getattr(cause, 'verify_message', None)})"
    if isinstance(cause, ssl.SSLError):
        return f"the TLS handshake failed ({getattr(cause, 'reason', None)})"
    if isinstance(cause, RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(cause, HTTPException):
        return "the answer is not HTTP"
    if isinstance(cause, OSError) and isinstance(cause.errno, int) and cause.errno in errno.errorcode:
        return os.strerror(cause.errno)
    return None


def _causes(why: BaseException) -> Iterator[BaseException]:
    """The exception and those behind it, innermost first."""
    chain: list[BaseException] = []
    queue: list[object] = [why]
    while queue:
        cause = queue.pop()
        if isinstance(cause, BaseException) and cause not in chain:
            chain.append(cause)
            queue += [
                cause.__cause__,
                cause.__context__,
                getattr(cause, "reason", None),
                *cause.args,
            ]
    return reversed(chain)

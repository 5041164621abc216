"""Sends sealed support bundles in parts. A broken connection costs one: the endpoint says where to go on."""

from __future__ import annotations

import json
import random
import time
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from agent.base.deadline import TookTooLong, within
from agent.delivery.backoff import EAGER_BACKOFF, LONGEST_BACKOFF, backoff, backoff_limit, seconds_to_next_try
from agent.delivery.drain import CHANGED, LEAST_SECONDS, TOO_SHORT
from agent.delivery.failures import check_route, failure_text
from agent.delivery.route import find_route
from agent.delivery.transport import (
    ATTEMPT_SECONDS,
    CONNECT_SECONDS,
    LONGEST_ANSWER,
    READ_SECONDS,
    UNDELIVERED,
    Delivered,
    Rejected,
    RetryLater,
    judge,
    open_endpoint,
)
from agent.outbox.bundles import bundles_address, read_bundle, sweep_bundles, waiting_bundles
from agent.outbox.outbox import DROPPED, REJECTED, SENT

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Union

    import requests

    from agent.base.statedir import StateDir
    from agent.config.access import Access
    from agent.delivery.transport import BatchOutcome
    from agent.outbox.bundles import WaitingBundle
    from agent.outbox.outbox import Outbox

PART = 256 * 1024
OTHER_OFFSET = 409
NO_BUNDLES = "the endpoint takes no support bundles: write one to a file with support --bundle --out FILE"


class Stored(NamedTuple):
    """How much of a bundle the endpoint has on its disk, and whether that is all."""

    received: int
    complete: bool


class Cut(NamedTuple):
    """We stopped, the endpoint did not fail."""

    why: str


if TYPE_CHECKING:
    Reply = Union[Stored, BatchOutcome]


class BundleSender:
    """Owns the connection by which the bundles of one pass go."""

    def __init__(
        self,
        endpoint: str,
        access: Access,
        *,
        budget: float,
        still_allowed: Callable[[], bool],
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._access = bundles_address(endpoint), access
        self._route = find_route(endpoint, access)
        self._still_allowed, self._now, self._monotonic = still_allowed, now, monotonic
        self._end = monotonic() + budget
        self._session: requests.Session | None = None

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def send(self, bundle: WaitingBundle, data: bytes) -> BatchOutcome | Cut:
        """Ask how much is there, and send the rest."""
        offset, body = 0, b""
        for _ in range(2 * (bundle.size // PART + 2)):
            if not self._still_allowed():
                return Cut(CHANGED)
            left = self._end - self._monotonic()
            if left < LEAST_SECONDS:
                return Cut(TOO_SHORT)
            reply = self._post(bundle, offset, body, min(left, ATTEMPT_SECONDS))
            if not isinstance(reply, Stored):
                return reply
            if reply.complete:
                return Delivered()
            offset = min(reply.received, bundle.size)
            body = data[offset : offset + PART]
        return RetryLater(None, "the endpoint does not store the bundle's parts", answered=True)

    def _post(self, bundle: WaitingBundle, offset: int, body: bytes, limit: float) -> Reply:
        url = f"{self._url}?{urlencode({'sha256': bundle.digest, 'size': bundle.size, 'offset': offset})}"
        try:
            self._session = self._session or open_endpoint(self._url, self._route, self._access)
            session = self._session
            return within(limit, lambda: self._ask(session, url, _headers(bundle), body))
        except TookTooLong:
            self._session = None
            return RetryLater(None, f"no answer within {limit:.0f} s; {check_route(self._route)}")
        except UNDELIVERED as why:
            return RetryLater(None, failure_text(why, self._route))

    def _ask(self, session: requests.Session, url: str, headers: dict[str, str], body: bytes) -> Reply:
        times = (CONNECT_SECONDS, READ_SECONDS)
        with session.post(
            url, data=body, headers=headers, timeout=times, allow_redirects=False, stream=True
        ) as answer:
            status = answer.status_code
            outcome = judge(status, answer.headers.get("Retry-After"), self._now())
            if status != OTHER_OFFSET and not isinstance(outcome, Delivered):
                return outcome
            stored = _stored_in(answer.raw.read(LONGEST_ANSWER))
            return stored or RetryLater(None, NO_BUNDLES, answered=True)


def _headers(bundle: WaitingBundle) -> dict[str, str]:
    """Whose it is. No log of addresses has it: whoever knows the id may have the instance forgotten."""
    run = {"Rollcall-Run": bundle.run} if bundle.run else {}
    return {"Content-Type": "application/octet-stream", "Rollcall-Instance": bundle.instance, **run}


def _stored_in(said: bytes) -> Stored | None:
    """What a collector's answer says; None for another endpoint's, which may answer anything."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return None
    received = found.get("received") if isinstance(found, dict) else None
    if isinstance(received, int) and received >= 0:
        return Stored(received, found.get("complete") is True)
    return None


def deliver_bundles(
    state: StateDir,
    outbox: Outbox,
    endpoint: str,
    sender: BundleSender,
    *,
    now: Callable[[], float],
    eager: bool = False,
    chance: Callable[[], float] = random.random,
) -> tuple[str | None, list[str]]:
    """Send what waits, oldest first. Why something still waits, and lines for the log.

    Only while holding `state.sender`. `eager` is as in a Drain: an earlier failure puts nothing off.
    """
    place, messages = bundles_address(endpoint), list[str]()
    longest = EAGER_BACKOFF if eager else LONGEST_BACKOFF
    with closing(sender):
        for bundle in waiting_bundles(outbox, endpoint):
            trouble = outbox.trouble(place)
            if trouble is not None and not eager and seconds_to_next_try(trouble, now()) > 0:
                return trouble.error, messages
            outcome, unsent = _send_file(state, bundle, sender)
            if isinstance(outcome, Cut):
                return outcome.why, messages
            if isinstance(outcome, RetryLater):
                limit = backoff_limit(trouble.failures if trouble else 0, longest)
                wait = backoff(limit, chance()) if outcome.after is None else outcome.after
                outbox.note_failure(place, outcome.why, now() + wait, counts=limit < longest)
                return outcome.why, [*messages, f"a support bundle is waiting: {outcome.why}"]
            if isinstance(outcome, Rejected):
                messages.append(f"a support bundle was not taken: {outcome.why}")
            outbox.settle([bundle.seq], SENT if isinstance(outcome, Delivered) else unsent)
            outbox.note_success(place)
    sweep_bundles(state, outbox)
    return None, messages


def _send_file(
    state: StateDir, bundle: WaitingBundle, sender: BundleSender
) -> tuple[BatchOutcome | Cut, str]:
    """What became of it, and the state that it has if it was neither sent nor waits."""
    try:
        data = read_bundle(state, bundle)
    except OSError as why:
        return RetryLater(None, f"its file cannot be read: {why.strerror}"), DROPPED
    if data is None:
        return Rejected("its file is gone"), DROPPED
    return sender.send(bundle, data), REJECTED

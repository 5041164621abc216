"""Asks the endpoint whether it would take events, and sends none: one empty batch, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import requests
import urllib3

from agent.base.deadline import TookTooLong, within
from agent.delivery.failures import check_route, failure_text
from agent.delivery.route import Unpassable, find_route
from agent.delivery.steps import Step, steps_before_failure, steps_of_answer
from agent.delivery.transport import (
    ATTEMPT_SECONDS,
    CONNECT_SECONDS,
    LONGEST_ANSWER,
    READ_SECONDS,
    Delivered,
    Rejected,
    is_page,
    judge,
    judge_page,
    open_endpoint,
    says_html,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config.access import Access
    from agent.delivery.route import Route

EMPTY = b'{"batch":[]}'


@dataclass(frozen=True)
class ProbeAnswer:
    """What is wrong on the way to the endpoint, if anything; and how far our clock is ahead of its clock.

    `steps` went well before that.
    """

    fault: str | None
    clock_ahead: float | None = None
    steps: tuple[Step, ...] = ()


def probe_endpoint(
    endpoint: str, access: Access, *, now: Callable[[], float], seconds: float = ATTEMPT_SECONDS
) -> ProbeAnswer:
    """Ask once; returns within `seconds`, whatever the network does."""
    url, route = f"{endpoint}/v1/batch", find_route(endpoint, access)
    try:
        with open_endpoint(url, route, access) as session:
            return within(seconds, lambda: _ask(session, url, route, now))
    except TookTooLong:
        return ProbeAnswer(f"no answer within {seconds:.0f} s; {check_route(route)}")
    except (Unpassable, requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as why:
        return ProbeAnswer(failure_text(why, route), steps=tuple(steps_before_failure(why, url, route)))


def _ask(session: requests.Session, url: str, route: Route, now: Callable[[], float]) -> ProbeAnswer:
    times = (CONNECT_SECONDS, READ_SECONDS)
    with session.post(url, data=EMPTY, timeout=times, allow_redirects=False, stream=True) as answer:
        ahead = _clock_ahead(answer.headers.get("Date"), now())
        steps = tuple(steps_of_answer(answer, url, route))
        return ProbeAnswer(_fault(answer, now()), ahead, steps)


def _fault(answer: requests.Response, now: float) -> str | None:
    """What its status means. An endpoint may refuse an empty batch: then it reads what we send."""
    outcome = judge(answer.status_code, None, now)
    if not isinstance(outcome, (Delivered, Rejected)):
        return outcome.why
    if says_html(answer) and is_page(answer.raw.read(LONGEST_ANSWER)):
        return judge_page(answer.status_code).why
    return None


def _clock_ahead(date: str | None, now: float) -> float | None:
    try:
        at = parsedate_to_datetime(date or "")
        return now - at.replace(tzinfo=at.tzinfo or timezone.utc).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None

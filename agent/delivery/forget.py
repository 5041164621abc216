"""Asks an endpoint to delete all that it holds of one instance, and reads its receipt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import requests
import urllib3

from agent.base.deadline import TookTooLong, within
from agent.delivery.failures import check_route, failure_text
from agent.delivery.route import Unpassable, find_route
from agent.delivery.transport import (
    CONNECT_SECONDS,
    LONGEST_ANSWER,
    Delivered,
    is_page,
    judge,
    judge_page,
    open_endpoint,
    says_html,
)

if TYPE_CHECKING:
    from agent.config.access import Access

FORGET_SECONDS = 60.0
"""A collector may have to search for a while."""
FIELDS = ("at", "deleted", "digest")
"""What a receipt has besides the instance's id."""


class NotForgotten(Exception):  # noqa: N818 - reads as what it says
    """The endpoint gave no receipt; the text says why."""


def request_forgetting(endpoint: str, access: Access, instance: str) -> dict[str, object]:
    """The endpoint's receipt; NotForgotten without one, within FORGET_SECONDS."""
    url, route = f"{endpoint}/v1/forget", find_route(endpoint, access)
    try:
        with open_endpoint(url, route, access) as session:
            return within(FORGET_SECONDS, lambda: _receipt(session, url, instance))
    except TookTooLong:
        raise NotForgotten(f"no answer within {FORGET_SECONDS:.0f} s; {check_route(route)}") from None
    except (Unpassable, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as why:
        raise NotForgotten(failure_text(why, route)) from None


def _receipt(session: requests.Session, url: str, instance: str) -> dict[str, object]:
    body, times = json.dumps({"instanceId": instance}).encode(), (CONNECT_SECONDS, FORGET_SECONDS)
    with session.post(url, data=body, timeout=times, allow_redirects=False, stream=True) as answer:
        outcome = judge(answer.status_code, None, 0.0)
        if not isinstance(outcome, Delivered):
            raise NotForgotten(outcome.why)
        said = answer.raw.read(LONGEST_ANSWER)
        if says_html(answer) and is_page(said):
            raise NotForgotten(judge_page(answer.status_code).why)
        try:
            found = json.loads(said)
        except (ValueError, RecursionError):
            found = None
    known = isinstance(found, dict) and found.get("success") is True and found.get("instanceId") == instance
    if not known or not all(name in found for name in FIELDS):
        raise NotForgotten("it gave no receipt, so it does not support this: ask its vendor to delete the id")
    return {name: found[name] for name in ("instanceId", *FIELDS)}

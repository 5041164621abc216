"""A network failure in words, with the setting that would help.

Its own text is not used: it may hold the URL.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from http.client import HTTPException, RemoteDisconnected
from typing import TYPE_CHECKING, NamedTuple

import requests

from agent.delivery.route import Unpassable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.delivery.route import Route

TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
PROXY_WANTS_USER = "407"


class Target(NamedTuple):
    """Whom the request was for, and which setting names them."""

    who: str
    setting: str


ENDPOINT = Target("the endpoint", "ROLLCALL_ENDPOINT")


def failure_text(why: BaseException, route: Route, target: Target = ENDPOINT) -> str:
    """One line: who, what, and what to check."""
    if isinstance(why, Unpassable):
        return str(why)
    by_proxy = isinstance(why, requests.exceptions.ProxyError)
    if by_proxy and (refused := TUNNEL.search(str(why))):
        return _refused_by_proxy(refused[1], route, target)
    what = next((words for cause in causes_of(why) if (words := _words_of(cause)) is not None), None)
    if what is None and isinstance(why, requests.exceptions.Timeout):
        what = "no answer in time"
    if what is None:
        what = f"the connection failed ({type(why).__name__})"
    if by_proxy:
        return f"the proxy: {what}; {check_route(route, target)}"
    return f"{target.who}: {what}; {_advice(why, route, target)}"


def check_route(route: Route, target: Target = ENDPOINT) -> str:
    """What to check where nothing could be reached."""
    if route.proxy:
        return f"check {route.setting}, which names the proxy"
    return f"check {target.setting}, or set ROLLCALL_PROXY if this network needs a proxy"


def _refused_by_proxy(status: str, route: Route, target: Target) -> str:
    if status == PROXY_WANTS_USER:
        return (
            f"the proxy: {status}; it wants a user and a password: put them into the URL in {route.setting}"
        )
    return f"the proxy: {status}; it does not let this through: check {route.setting} and {target.setting}"


def _advice(why: BaseException, route: Route, target: Target) -> str:
    causes = list(causes_of(why))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return "if you trust its issuer, name the issuer's certificate in ROLLCALL_CA_FILE"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"check whether {target.setting} is https"
    return check_route(route, target)


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


def causes_of(why: BaseException) -> Iterator[BaseException]:
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

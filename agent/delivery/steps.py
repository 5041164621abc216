"""The steps on the way to the endpoint, as far as one request came: proxy, name, connection, TLS."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import requests

from agent.delivery.failures import causes_of
from agent.delivery.route import Unpassable

if TYPE_CHECKING:
    from agent.delivery.route import Route


class Step(NamedTuple):
    """A step that went well."""

    name: str
    says: str


def steps_before_failure(why: BaseException, url: str, route: Route) -> list[Step]:
    """What went well before this failure, as far as the failure says."""
    found = list(causes_of(why))
    if isinstance(why, (Unpassable, ValueError)) or _is_any(found, socket.gaierror):
        return []  # a ValueError comes of a URL that cannot be parsed, before anything is asked
    to_connect = [*_proxy(route), *_name(url, route)]
    connected = Step("connect", "the connection was made")
    if isinstance(why, requests.exceptions.ConnectTimeout):
        return to_connect
    if _is_any(found, HTTPException):
        tls = [Step("tls", "the certificate is trusted")] if url.startswith("https:") else []
        return [*to_connect, connected, *tls]
    if _is_any(found, ssl.SSLError) or isinstance(why, requests.exceptions.ReadTimeout):
        return [*to_connect, connected]  # a handshake may be what took too long
    return to_connect


def steps_of_answer(answer: requests.Response, url: str, route: Route) -> list[Step]:
    """What went well, as an endpoint has answered."""
    connection: Any = getattr(answer.raw, "connection", None)
    wire: Any = getattr(connection, "sock", None)
    steps = [*_proxy(route), *_name(url, route), Step("connect", _peer(wire))]
    if isinstance(wire, ssl.SSLSocket):
        steps.append(Step("tls", f"{wire.version()}, {_certificate(wire)}"))
    return steps


def _is_any(found: list[BaseException], kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in found)


def _proxy(route: Route) -> list[Step]:
    return [Step("proxy", f"the one that {route.setting} names")] if route.proxy else []


def _name(url: str, route: Route) -> list[Step]:
    """The name that was looked up: the proxy's where there is one; none for an address."""
    place = route.proxy or url  # HTTPS_PROXY may have no http:// before it
    host = urlsplit(place if "://" in place else f"//{place}").hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return [Step("name", f"{host} is known")]
    return []


def _peer(wire: Any) -> str:  # noqa: ANN401 - urllib3 says no more
    try:
        host, port, *_ = wire.getpeername()
    except (AttributeError, OSError, ValueError):
        return "the connection was made"
    return f"{host} port {port}"


def _certificate(wire: ssl.SSLSocket) -> str:
    """By whom the endpoint's certificate was issued, and until when it holds."""
    certificate: Any = wire.getpeercert() or {}
    issuer = {name: value for part in certificate.get("issuer", ()) for name, value in part}
    who = ", ".join(issuer[name] for name in ("organizationName", "commonName") if name in issuer)
    return f"issued by {who or 'somebody without a name'}, until {certificate.get('notAfter', 'unknown')}"

"""Who may read /metrics: programs of this machine, or those that are set. Nobody through a proxy."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from collector.base.http import Scope, header, is_direct
from collector.base.peers import in_networks
from collector.settings import Settings

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1"))


def may_read_metrics(scope: Scope, settings: Settings) -> bool:
    """Whether this client is one that METRICS_ALLOW names; if it is unset, a program of this machine.

    A proxy of this machine may look like such a program, but for the host that clients ask it for.
    """
    if not is_direct(scope):
        return False
    address = (scope.get("client") or ("", 0))[0]
    if settings.metrics_allow is not None:
        return in_networks(settings.metrics_allow, address)
    return in_networks(LOOPBACK, address) and not _names_public_host(scope, settings.public_url)


def _names_public_host(scope: Scope, public_url: str) -> bool:
    """Whether the request is for the host that clients use, as a proxy passes it on."""
    public = _host_name(public_url)
    if not public or _is_loopback(public):
        return False
    return _host_name(f"//{header(scope, b'host')}") == public


def _is_loopback(host: str) -> bool:
    return f".{host}".endswith(".localhost") or in_networks(LOOPBACK, host)


def _host_name(url: str) -> str:
    """The host of a URL in lower case; empty if there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""

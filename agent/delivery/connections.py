"""Every connection that this installation could ever make. `doctor` shows this table.

A test finds whatever else in the agent could open one. Nothing of requests is imported here: urllib3 opens
a socket when it is imported, to see whether there is IPv6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.outbox.bundles import bundles_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config.access import Access
    from agent.config.settings import Settings


@dataclass(frozen=True)
class Connection:
    """One kind of connection: what it is for, the modules that open it, and where it leads."""

    name: str
    purpose: str
    modules: tuple[str, ...]
    target: Callable[[Settings, Access], str]
    """Where it leads with these settings; empty if it is never made with them."""
    leaves: bool = True
    """Whether it can leave this machine."""


def _endpoint(settings: Settings, access: Access) -> str:
    if not settings.endpoint:
        return ""
    proxy = "ROLLCALL_PROXY" if access.proxy else "the environment, if any,"
    return f"{settings.endpoint}/v1/batch through the proxy that {proxy} names"


def _bundles(settings: Settings, access: Access) -> str:
    del access
    return bundles_address(settings.endpoint) if settings.endpoint and settings.support_key else ""


def _feed(settings: Settings, access: Access) -> str:
    del access
    return "" if settings.no_feed else f"{settings.updates_url} and its .minisig, once a day"


def _health(settings: Settings, access: Access) -> str:
    del access
    address = settings.health.partition("?")[0]  # a token may stand behind it
    return address if address.partition(":")[0] in ("tcp", "http", "https") else ""


def _systemctl(settings: Settings, access: Access) -> str:
    del access
    return "systemd, by systemctl is-active" if settings.health.startswith("unit:") else ""


CONNECTIONS = (
    Connection(
        "endpoint",
        "deliver events; doctor asks it with an empty batch, forget --everywhere to delete the id",
        (
            "agent.delivery.transport",
            "agent.delivery.route",
            "agent.delivery.failures",
            "agent.delivery.probe",
            "agent.delivery.steps",
            "agent.delivery.forget",
        ),
        _endpoint,
    ),
    Connection(
        "bundles",
        "send a sealed support bundle that a person has made",
        ("agent.delivery.bundles",),
        _bundles,
    ),
    Connection("release feed", "ask for releases and advisories", ("agent.updates.fetch",), _feed),
    Connection("health check", "see whether the product is alive", ("agent.heartbeat.health",), _health),
    Connection(
        "unit state",
        "see whether the product's unit runs",
        ("agent.heartbeat.health",),
        _systemctl,
        leaves=False,
    ),
    Connection(
        "systemd",
        "tell systemd and the journal that the daemon runs",
        ("agent.heartbeat.systemd",),
        lambda _settings, _access: "sockets of systemd, by the service",
        leaves=False,
    ),
    Connection(
        "proof",
        "let prove's own steps talk to a sink in an empty network namespace",
        ("agent.proving.namespace", "agent.proving.sink"),
        lambda _settings, _access: "loopback of that namespace, by prove",
        leaves=False,
    ),
    Connection(
        "kernel",
        "hear which program of a wrapped script failed",
        ("agent.wrapper.exits.taskstats",),
        lambda _settings, _access: "a netlink socket, by root's wrap",
        leaves=False,
    ),
)

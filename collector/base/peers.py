"""Who a request really comes from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from collector.base.http import Scope, headers

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_REMEMBERED = 20_000


def in_networks(networks: Iterable[Network], address: str) -> bool:
    """Whether an address is in one of the networks; False for text that is not an address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)


def peer_of(address: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The client that limits apply to: the connection's address, or the one a trusted proxy names.

    Each proxy appends the address that it saw to `X-Forwarded-For`, so it is read from the right. The
    first address that is not a trusted proxy is the peer; anything left of it may be forged. An IPv6
    /64 network is one peer, because one person usually has all of its addresses.
    """
    peer = address
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    while hops and in_networks(trusted, peer):
        peer = hops.pop()
    return _one_peer(peer.strip("[]")) or address


def peer_in(scope: Scope, trusted: Sequence[Network]) -> str:
    """The client that sent a request."""
    address = (scope.get("client") or ("", 0))[0]
    return peer_of(address, headers(scope, b"x-forwarded-for"), trusted)


@lru_cache(maxsize=MAX_REMEMBERED)
def _one_peer(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)

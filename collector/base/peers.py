"""Who a request really comes from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_REMEMBERED = 20_000


def in_networks(networks: Iterable[Network], address: str) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)


def peer_of(address: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Who is limited: the connection's address, or what a trusted proxy says of it.

    `X-Forwarded-For` is read from the right, for each proxy appends whom it saw: the first one that
    is not itself trusted is the peer, and what stands left of it is hearsay. An IPv6 network is one
    peer, for a stranger has all of its addresses.
    """
    peer = address
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    while hops and in_networks(trusted, peer):
        peer = hops.pop()
    return _one_peer(peer.strip("[]")) or address


@lru_cache(maxsize=MAX_REMEMBERED)
def _one_peer(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)

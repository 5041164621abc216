"""Who a request comes from."""

from __future__ import annotations

import ipaddress

import pytest

from collector.base.peers import in_networks, peer_of

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("127.0.0.1"))


@pytest.mark.parametrize(
    ("address", "forwarded", "peer"),
    [
        ("203.0.113.1", ["9.9.9.9"], "203.0.113.1"),
        ("10.0.0.1", ["9.9.9.9"], "9.9.9.9"),
        ("10.0.0.1", ["1.1.1.1, 9.9.9.9, 10.0.0.2"], "9.9.9.9"),
        ("10.0.0.1", ["1.1.1.1", "9.9.9.9"], "9.9.9.9"),
        ("10.0.0.1", ["junk"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("2001:db8::1", [], "2001:db8::/64"),
        ("::ffff:10.0.0.1", ["9.9.9.9"], "9.9.9.9"),
        ("", [], ""),
    ],
)
def test_a_peer_is_who_the_trusted_proxies_saw(address: str, forwarded: list[str], peer: str) -> None:
    assert peer_of(address, forwarded, TRUSTED) == peer


def test_an_address_that_is_none_is_in_no_network() -> None:
    assert in_networks(TRUSTED, "10.1.2.3")
    assert not in_networks(TRUSTED, "unix:")

"""What the collector publishes, the agents of the fleet take: both check a feed by themselves."""

from __future__ import annotations

import json
from itertools import combinations, product
from typing import Any

import pytest

from agent.updates import feed as of_agent
from agent.updates import minisign
from collector.admin import AdminError
from collector.releases import feed as of_collector
from collector.releases.minisign import parse_key, verify
from tests.agent.updates.signing import FEED, Minisign, Vendor, feed

PLACES = [
    *((name,) for name in FEED),
    *(("releases", 0, name) for name in ("version", "date", "notes", "url", "minimumFrom", "rollout")),
    *(("advisories", 0, name) for name in ("id", "severity", "affected", "fixedIn", "summary", "url")),
    ("advisories", 0, "affected", 0),
    ("releases", 1, "version"),
    ("advisories", 0),
]
VALUES: list[Any] = [
    *("", "1.0", "v2", "1!", "1!2.0", "*", ">=1.0, <2", ">1,", "=1", ">=", "latest", "+1", "\ud800", "\0"),
    *("2.4.1.0", "V2.4.1", "02.4.1", "2.4.1+1", "2.4.1-0", "0", "0.0", "1" * 201, ">=" + "1" * 199),
    *("https://a.example/x", "http://", "javascript:x", "https://a b", "https://\u00e4", "ftp://a", "//a"),
    *("2030-01-01T00:00:00Z", "2030-01-01", "2030-13-01T00:00:00Z", "2030-1-1T0:0:0Z", "low", "dire"),
    *(None, True, False, -1, 0, 1, 2, 2**53, 2**53 + 1, 0.5, 1.0, 7.0, -0.0, 1e300, 10**400),
    *([], {}, [{}], [1], [None], [""], ["*"], [">=1", "1"], ["<1"] * 1001),
    *([FEED["releases"][0]], [FEED["releases"][0]] * 1001, FEED["advisories"] * 1000),  # type: ignore[index, operator]
    *([{"version": f"0.{minor}", "date": ""} for minor in range(count)] for count in (1000, 1001)),
]


def taken_by_agent(data: bytes) -> bool:
    try:
        of_agent.parse_feed(data)
    except of_agent.FeedError:
        return False
    return True


def taken_by_collector(data: bytes) -> bool:
    try:
        of_collector.parse_feed(data)
    except AdminError:
        return False
    return True


def test_both_take_and_refuse_the_same_feeds() -> None:
    verdicts = set()
    for place, value in product(PLACES, VALUES):
        changed: Any = json.loads(feed())
        inner = changed
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value
        data = json.dumps(changed).encode()
        verdict = taken_by_agent(data)
        verdicts.add(verdict)
        assert taken_by_collector(data) == verdict, (place, value)
    assert verdicts == {True, False}


SPELLINGS = """
1.0 v1.0.0 01.0 0!1 01!1.0 1!1.0 1.0-final 1.0.GA 1.0-release 1.0-final.1 1.0-0 1.0-00 1.0-1 1.0-1.rev 1.0-1-r
1.0+ 1.0+a 1.0+alpha 1.0+final 1.0+7 1.0+07 1.0-dev 1.0-nightly 1.0a1 1.0-alpha.1 1.0-alpha.01 1.0b1 1.0-beta1
1.0-rc 1.0rc1 1.0-c1 1.0-pre1 1.0-preview.1 1.0.post1 1.0p1 1.0-patch.1 1.0-sp1
"""


def test_both_tell_alike_whether_two_releases_are_of_one_version() -> None:
    verdicts = set()
    for one, other in combinations(SPELLINGS.split(), 2):
        data = feed(releases=[{"version": version, "date": ""} for version in (one, other)])
        verdict = taken_by_agent(data)
        verdicts.add(verdict)
        assert taken_by_collector(data) == verdict, (one, other)
    assert verdicts == {True, False}


@pytest.mark.parametrize(
    ("data", "taken"),
    [
        (feed(), True),
        (feed(releases=None, advisories=None, more={"x": 1}), True),
        (b"[" * 100_000, False),
        (b"<html>", False),
        (b"", False),
        (feed().replace(b"Shop", b"\xff"), False),
        (b"\xef\xbb\xbf" + feed(), False),
        (feed() + b" " * of_agent.LONGEST_FEED, False),
        (feed(more=float("nan")), False),
        (feed()[:-3], False),
    ],
)
def test_both_refuse_what_is_no_feed(data: bytes, taken: bool) -> None:
    assert (taken_by_agent(data), taken_by_collector(data)) == (taken, taken)


@pytest.mark.once
@pytest.mark.needs("minisign")
@pytest.mark.parametrize("legacy", [False, True])
def test_both_take_what_minisign_of_debian_signs(legacy: bool, tmp_path: Any) -> None:
    made = Minisign(tmp_path / "keys")
    data, signature = feed(), made.sign(feed(), legacy=legacy)
    key = parse_key(made.public)
    verify(data, signature, [key])
    assert minisign.verify(data, signature, minisign.parse_keys(made.public)).name == key.name


def test_both_refuse_a_byte_that_was_changed() -> None:
    vendor, data = Vendor(), feed()
    signature = vendor.sign(data)
    keys, known = minisign.parse_keys(vendor.public), [parse_key(vendor.public)]
    line = signature.index("\n") + 1  # nobody signs the first line
    for at in range(line, len(signature)):
        for other in ("A", "B", " ", "=", "\n"):
            broken = signature[:at] + other + signature[at + 1 :]
            if broken in (signature, signature[:-1] + "\n"):
                continue
            with pytest.raises(minisign.SignatureError):
                minisign.verify(data, broken, keys)
            with pytest.raises(AdminError):
                verify(data, broken, known)

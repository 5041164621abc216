from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.updates.feed import LONGEST_FEED, FeedError, parse_feed
from agent.updates.matching import is_offered, match_version
from tests.agent.updates.signing import FEED, feed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FEED, "url"]), inner),
    max_leaves=8,
)


def with_entry(name: str, **changes: object) -> bytes:
    """The feed, with its first release or advisory changed."""
    entries: Any = FEED[name]
    return feed(**{name: [{**entries[0], **changes}]})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<html>", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON|nested"),
        (b"[]", "not an object"),
        (feed(format=2), "format is not 1"),
        (feed(format=True), "format"),
        (feed(product=7), "product is not text"),
        (feed(sequence=-1), "sequence"),
        (feed(sequence=1.5), "sequence"),
        (feed(expires="tomorrow"), "expires"),
        (feed(releases={}), "releases is not a list"),
        (feed(releases=[1]), r"releases\[0\] is not an object"),
        (feed(releases=[FEED["releases"][0]] * 2), "two releases"),  # type: ignore[index]
        (with_entry("releases", version="latest"), r"releases\[0\]: version"),
        (with_entry("releases", url="javascript:alert(1)"), "url"),
        (feed(publicPage="javascript:alert(1)"), "the feed: publicPage is not an http"),
        (with_entry("releases", rollout=2), "rollout"),
        (with_entry("releases", rollout=True), "rollout"),
        (with_entry("releases", notes="\ud800"), "notes"),
        (with_entry("advisories", severity="dire"), "severity"),
        (with_entry("advisories", severity=[]), "severity"),
        (with_entry("advisories", affected=[]), "affected"),
        (with_entry("advisories", affected=["1.0"]), "affected"),
        (b" " * (LONGEST_FEED + 1), "longer than 256 KiB"),
        (b'{"format": NaN}', "NaN"),
    ],
)
def test_a_feed_that_is_not_valid_says_where(data: bytes, words: str) -> None:
    with pytest.raises(FeedError, match=words):
        parse_feed(data)


def test_names_that_are_not_known_are_left_for_later() -> None:
    assert parse_feed(feed(color="green")) == parse_feed(feed())


@given(st.dictionaries(st.sampled_from([*FEED]), JSON))
def test_no_json_is_worse_than_a_refused_feed(changes: dict[str, object]) -> None:
    try:
        found = parse_feed(feed(**changes))
    except FeedError:
        return
    match_version(found, "1.0", "seed")
    assert found.expires_at


@given(st.binary(max_size=200))
def test_no_bytes_are_worse_than_a_refused_feed(data: bytes) -> None:
    with pytest.raises(FeedError):
        parse_feed(data)


def test_a_version_too_old_for_the_newest_is_sent_through_the_one_between() -> None:
    found = parse_feed(feed())
    match = match_version(found, "1.4.1", "seed")
    assert [release.version for release in match.newer] == ["2.4.1", "2.0.0"]
    assert match.next is not None
    assert (match.next.version, match.advisories[0].id) == ("2.0.0", "SHOP-2026-1")
    match = match_version(found, "2.0", "seed")
    assert match.next is not None
    assert (match.next.version, match.advisories) == ("2.4.1", ())
    assert match_version(found, "2.4.1", "seed").newer == ()


def test_a_staged_release_reaches_its_share_of_all_and_none_that_had_it_loses_it() -> None:
    stages = [
        {
            seed
            for seed in map(str, range(2000))
            if is_offered(parse_feed(with_entry("releases", rollout=share)).releases[0], seed)
        }
        for share in (0, 0.25, 1)
    ]
    assert [len(stage) for stage in (stages[0], stages[2])] == [0, 2000]
    assert 400 < len(stages[1]) < 600
    assert stages[0] < stages[1] < stages[2]

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector.admin import AdminError, keys
from collector.admin.audit import latest_entries
from collector.base.times import read_time
from collector.releases import feed as checks
from collector.releases.minisign import parse_key
from collector.releases.published import (
    LEAST_LEFT_MS,
    distrust_key,
    publish_feed,
    published_feed,
    trust_key,
    trusted_keys,
)
from collector.store import Stores
from tests.agent.updates.signing import FEED, Vendor, feed

NOW = 1_800_000_000_000
OLD, NEW = Vendor(b"old-key1"), Vendor(b"new-key2")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def source(stores: Stores) -> int:
    """A source whose feeds one key may sign."""
    number, _ = keys.make_source(stores.control, "shop", NOW)
    trust_key(stores.control, "shop", parse_key(OLD.public), NOW)
    return number


def publish(stores: Stores, data: bytes, vendor: Vendor = OLD, now: int = NOW) -> None:
    publish_feed(stores.control, "shop", data, vendor.sign(data), now)


def test_only_a_feed_that_goes_on_is_published(stores: Stores, source: int) -> None:
    publish(stores, feed(sequence=7))
    publish(stores, feed(sequence=7))
    publish(stores, feed(sequence=9))
    for data, words in (
        (feed(sequence=8), "goes back: its sequence is 8, and 9"),
        (feed(sequence=9, product="Other"), "differs .* same sequence 9"),
        (feed(sequence=10, expires="2026-01-01T00:00:00Z"), "has expired"),
        (feed(sequence=10, releases=7), "not valid: .*releases"),
    ):
        with pytest.raises(AdminError, match=words):
            publish(stores, data)
    found = published_feed(stores.control, source)
    assert found is not None
    assert (found.data, found.signature) == (feed(sequence=9), OLD.sign(feed(sequence=9)))


def test_a_feed_that_is_about_to_expire_is_refused(stores: Stores, source: int) -> None:
    expires = read_time(FEED["expires"])
    assert expires is not None
    with pytest.raises(AdminError, match="in less than 7 days"):
        publish(stores, feed(), now=expires - LEAST_LEFT_MS + 1)
    publish(stores, feed(), now=expires - LEAST_LEFT_MS)


def test_a_feed_that_an_older_collector_took_is_still_shown(
    stores: Stores, source: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Charts of most views read it: what is refused today must not end them."""
    releases = [{"version": version, "date": ""} for version in ("1.0", "1.0-final")]
    with monkeypatch.context() as patch:
        patch.setattr(checks, "_check_feed", lambda _: None)
        publish(stores, feed(releases=releases))
    with pytest.raises(AdminError, match="two releases have the same version"):
        publish(stores, feed(sequence=8, releases=releases))
    found = published_feed(stores.control, source)
    assert found is not None
    assert [one.version for one in found.feed.releases or ()] == ["1.0", "1.0-final"]


def test_only_a_key_that_was_given_signs(stores: Stores, source: int) -> None:
    for vendor, data, signed in ((NEW, feed(), feed()), (OLD, feed(sequence=8), feed())):
        with pytest.raises(AdminError, match=r"was not given|does not match"):
            publish_feed(stores.control, "shop", data, vendor.sign(signed), NOW)
    with pytest.raises(AdminError, match="not one of minisign"):
        publish_feed(stores.control, "shop", feed(), "", NOW)
    assert published_feed(stores.control, source) is None
    with pytest.raises(AdminError, match="no source"):
        publish_feed(stores.control, "other", feed(), OLD.sign(feed()), NOW)


def test_a_new_key_takes_over_without_a_gap(stores: Stores, source: int) -> None:
    publish(stores, feed())
    trust_key(stores.control, "shop", parse_key(NEW.public), NOW)
    trust_key(stores.control, "shop", parse_key(NEW.public), NOW)
    with pytest.raises(AdminError, match="has the keys"):
        trust_key(stores.control, "shop", parse_key(Vendor(b"3rd-key3").public), NOW)
    publish(stores, feed(), NEW)
    found = published_feed(stores.control, source)
    assert found is not None
    assert found.key_name == parse_key(NEW.public).name
    distrust_key(stores.control, "shop", parse_key(OLD.public).name, NOW)
    with pytest.raises(AdminError, match="no such key"):
        distrust_key(stores.control, "shop", OLD.public, NOW)
    assert trusted_keys(stores.control) == [("shop", parse_key(NEW.public))]
    with pytest.raises(AdminError, match="was not given"):
        publish(stores, feed(sequence=8), OLD)
    publish(stores, feed(sequence=8), NEW)
    log = [entry.action for entry in latest_entries(stores.control, 10)]
    assert log[:2] == ["published releases", "removed release key"]


def test_what_is_no_public_key_is_refused() -> None:
    assert parse_key(OLD.public).id == OLD.id
    for text in ("", "RWQ", OLD.public[:-4], "A" * 56, f" {OLD.public}"):
        with pytest.raises(AdminError, match=r"minisign\.pub"):
            parse_key(text)


def test_nothing_in_the_collector_can_sign() -> None:
    def signing(folder: str) -> list[Path]:
        files = (ROOT / folder).rglob("*.py")
        return [path for path in files if re.search(r"Ed25519PrivateKey|\.sign\(", path.read_text())]

    assert signing("tests/agent/updates")
    assert signing("collector") == []

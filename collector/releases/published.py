"""Which feed is published for a source, and which keys may sign one. Only the latest feed is stored."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from collector.admin import AdminError
from collector.admin.audit import COMMAND_LINE, record
from collector.admin.keys import find_source
from collector.base.times import DAY_MS
from collector.releases.feed import Feed, parse_feed, read_feed
from collector.releases.minisign import PublicKey, key_name, parse_key, signer_of, verify
from collector.store import ControlStore
from collector.store.database import Transaction
from collector.store.retries import with_retries

# A feed that expires sooner than this is not published: the fleet would soon have none.
LEAST_LEFT_MS = 7 * DAY_MS
# As in ROLLCALL_UPDATES_KEY: the key in use, and the next one.
MOST_KEYS = 2


class PublishedFeed(NamedTuple):
    """A feed as the vendor signed it."""

    data: bytes
    signature: str
    published: int

    @property
    def feed(self) -> Feed:
        return read_feed(self.data)

    @property
    def key_name(self) -> str:
        return key_name(signer_of(self.signature))


@with_retries
def trust_key(control: ControlStore, source: str, key: PublicKey, now: int) -> None:
    """Let feeds of a source be signed by this key. AdminError if it has two others."""
    with control.transaction() as tx:
        number = find_source(tx, source)
        keys = _keys(tx, number)
        if key in keys:
            return
        if len(keys) >= MOST_KEYS:
            names = " and ".join(known.name for known in keys)
            raise AdminError(
                f"the source {source!r} has the keys {names}; to take one back:"
                " rollcall-collector releases distrust KEY --source S"
            )
        tx.execute("INSERT INTO release_keys (source, key, added) VALUES (?, ?, ?)", number, key.text, now)
        record(tx, now, COMMAND_LINE, "added release key", f"{source} ({key.name})")


@with_retries
def distrust_key(control: ControlStore, source: str, which: str, now: int, *, by: str = COMMAND_LINE) -> None:
    """Take a key back, by its id or its text. A feed that it signed stays published."""
    with control.transaction() as tx:
        number = find_source(tx, source)
        found = [key for key in _keys(tx, number) if which in (key.name, key.text)]
        for key in found:
            tx.execute("DELETE FROM release_keys WHERE source = ? AND key = ?", number, key.text)
            record(tx, now, by, "removed release key", f"{source} ({key.name})")
    if not found:
        raise AdminError("this source has no such key; see `rollcall-collector releases list`")


@with_retries
def publish_feed(control: ControlStore, source: str, data: bytes, signature: str, now: int) -> Feed:
    """Publish a feed for a source. AdminError if it is not signed, not valid, old, or soon expired."""
    with control.transaction() as tx:
        number = find_source(tx, source)
        verify(data, signature, _keys(tx, number))
        feed = parse_feed(data)
        _check_expiry(feed, now)
        # One statement compares and writes, so that of two who publish at once the older feed cannot win.
        taken = tx.execute(
            "INSERT INTO releases (source, digest, sequence, feed, signature, published)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET digest = excluded.digest,"
            " sequence = excluded.sequence, feed = excluded.feed, signature = excluded.signature,"
            " published = excluded.published"
            " WHERE releases.sequence < excluded.sequence OR releases.digest = excluded.digest",
            number,
            sha256(data).hexdigest(),
            feed.sequence,
            data,
            signature,
            now,
        )
        if not taken:
            known = tx.all("SELECT sequence FROM releases WHERE source = ?", number)[0][0]
            raise AdminError(
                f"the feed goes back: its sequence is {feed.sequence}, and {known} is published"
                if feed.sequence < known
                else f"the feed differs from the one that is published, with the same sequence {known}"
            )
        record(tx, now, COMMAND_LINE, "published releases", f"{source} (sequence {feed.sequence})")
    return feed


def _check_expiry(feed: Feed, now: int) -> None:
    if feed.expires_at <= now:
        raise AdminError(f"the feed has expired: {feed.expires}")
    if feed.expires_at < now + LEAST_LEFT_MS:
        raise AdminError(
            f"the feed expires {feed.expires}, in less than {LEAST_LEFT_MS // DAY_MS} days; set a later time"
        )


def published_feed(control: ControlStore, source: int) -> PublishedFeed | None:
    """The feed of a source."""
    rows = control.all("SELECT feed, signature, published FROM releases WHERE source = ?", source)
    return PublishedFeed(bytes(rows[0][0]), *rows[0][1:]) if rows else None


def published_digests(control: ControlStore) -> dict[str, tuple[int, str, int]]:
    """The sources that have a feed, by name: number, the feed's digest, and when it was published."""
    sql = "SELECT s.name, s.id, r.digest, r.published FROM releases r JOIN sources s ON s.id = r.source"
    return {name: (number, digest, published) for name, number, digest, published in control.all(sql)}


def trusted_keys(control: ControlStore) -> list[tuple[str, PublicKey]]:
    """The keys that may sign feeds, with the names of their sources."""
    sql = (
        "SELECT s.name, k.key FROM release_keys k JOIN sources s ON s.id = k.source"
        " ORDER BY s.name, k.added, k.key"
    )
    return [(name, parse_key(key)) for name, key in control.all(sql)]


def _keys(tx: Transaction, source: int) -> list[PublicKey]:
    rows = tx.all("SELECT key FROM release_keys WHERE source = ? ORDER BY added, key", source)
    return [parse_key(key) for (key,) in rows]

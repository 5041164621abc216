"""The verbs for the release feed: publish one that the vendor signed, and say which keys may sign it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from collector.admin import AdminError
from collector.releases import published
from collector.releases.feed import LONGEST_FEED
from collector.releases.minisign import LONGEST_SIGNATURE, parse_key
from collector.serve.releases import REFRESH_SECONDS
from collector.store import Stores
from collector.verbs.terminal import message, now_ms


def add_verbs(
    make_group: Callable[[str, str], Any], make_verb: Callable[..., argparse.ArgumentParser]
) -> None:
    """Add the verbs of this module to the command line."""
    group = make_group("releases", "publish release notes and advisories")
    key = "the second line of minisign.pub"
    made = make_verb(group, "publish", _publish, "publish a feed that is signed with a trusted key")
    made.add_argument("feed", metavar="FEED", help="the feed; its signature is beside it, in FEED.minisig")
    made.add_argument("--source", metavar="S", required=True)
    made.add_argument("--key", metavar="KEY", help=f"first trust this public key, as `trust` does: {key}")
    trust = make_verb(group, "trust", _trust, "trust a public key to sign the feeds of a source; two at most")
    trust.add_argument("key", metavar="KEY", help=key)
    trust.add_argument("--source", metavar="S", required=True)
    distrust = make_verb(group, "distrust", _distrust, "trust a public key no longer")
    distrust.add_argument("key", metavar="KEY", help="its id, or the whole key")
    distrust.add_argument("--source", metavar="S", required=True)
    make_verb(group, "list", _list, "list the published feeds and the trusted keys")


def _publish(arguments: argparse.Namespace, stores: Stores) -> None:
    data = _read(arguments.feed, LONGEST_FEED)
    signature = _read(f"{arguments.feed}.minisig", LONGEST_SIGNATURE).decode("utf-8", "replace")
    if arguments.key:
        _trust(arguments, stores)
    feed = published.publish_feed(stores.control, arguments.source, data, signature, now_ms())
    message(
        f"published sequence {feed.sequence} of the product {feed.product!r}, which expires {feed.expires};"
        f" a running collector serves it within {REFRESH_SECONDS:.0f} s"
    )


def _trust(arguments: argparse.Namespace, stores: Stores) -> None:
    published.trust_key(stores.control, arguments.source, parse_key(arguments.key), now_ms())


def _distrust(arguments: argparse.Namespace, stores: Stores) -> None:
    published.distrust_key(stores.control, arguments.source, arguments.key, now_ms())


def _list(_: argparse.Namespace, stores: Stores) -> None:
    for name, (number, _digest, _at) in sorted(published.published_digests(stores.control).items()):
        found = published.published_feed(stores.control, number)
        if found is not None:
            feed = found.feed
            row = (
                name,
                feed.product,
                f"sequence {feed.sequence}",
                f"expires {feed.expires}",
                f"signed by {found.key_name}",
            )
            sys.stdout.write("\t".join(row) + "\n")
    for name, key in published.trusted_keys(stores.control):
        sys.stdout.write(f"{name}\ttrusts {key.name}\t{key.text}\n")


def _read(path: str, most: int) -> bytes:
    with open(path, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise AdminError(f"{path} is longer than {most // 1024} KiB")
    return data

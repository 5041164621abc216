"""The verbs for who may send: write keys and their limits."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from collector.admin import AdminError, keys
from collector.admin.keys import KeyStatus
from collector.base.times import write_time
from collector.base.written import FROM_ZERO, SIZE, read_rate, read_size, write_size
from collector.ingest.keyring import REFRESH_SECONDS
from collector.store import Stores
from collector.verbs.terminal import message, now_ms

DEFAULT = "default"
KEY = "its number, its first six characters, or the whole key"


def add_verbs(
    make_group: Callable[[str, str], Any], make_verb: Callable[..., argparse.ArgumentParser]
) -> None:
    """Add the verbs of this module to the command line."""
    group = make_group("keys", "manage the write keys of sources")
    add = make_verb(group, "add", _add, "create a write key and print it; it is shown only once", makes=True)
    add.add_argument("name", metavar="NAME")
    make_verb(group, "list", _list, "list the write keys, their limits, and what each added today (UTC)")
    revoke = make_verb(group, "revoke", _revoke, "revoke a write key")
    revoke.add_argument("key", metavar="KEY", help=KEY)
    limit = make_verb(group, "limit", _limit, "limit what may be sent with a write key")
    limit.add_argument("key", metavar="KEY", help=KEY)
    rate = f"events per second, and as many KiB; {DEFAULT}: the setting RATE holds"
    limit.add_argument("--rate", metavar="N", type=_or_default(read_rate, FROM_ZERO), help=rate)
    daily = f"bytes of disk in 24 hours, e.g. 512M; {DEFAULT}: the setting DAILY holds"
    limit.add_argument("--daily", metavar="SIZE", type=_or_default(read_size, SIZE), help=daily)


def _or_default(read: Callable[[str], float], accepted: str) -> Callable[[str], tuple[float | None]]:
    """A limit in a tuple, so that one that is set to None differs from one that is not set."""

    def parse(text: str) -> tuple[float | None]:
        try:
            return (None if text == DEFAULT else read(text),)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {accepted}, or {DEFAULT}") from None

    return parse


def _add(arguments: argparse.Namespace, stores: Stores) -> None:
    sys.stdout.write(keys.add_key(stores.control, arguments.name, now_ms()) + "\n")
    message("this key is shown only once; the collector stores only a digest of it")


def _list(_: argparse.Namespace, stores: Stores) -> None:
    for key in keys.list_keys(stores, now_ms()):
        sys.stdout.write("\t".join(_described(key)) + "\n")


def _described(key: KeyStatus) -> list[str]:
    return [
        str(key.id),
        key.source,
        f"{key.hint}…",
        f"created {write_time(key.created)}",
        f"revoked {write_time(key.revoked)}" if key.revoked else "valid",
        f"rate {DEFAULT if key.rate is None else str(key.rate).removesuffix('.0') + '/s'}",
        f"daily {DEFAULT if key.daily is None else write_size(key.daily)}",
        f"today {key.events} events, {write_size(key.bytes)}",
    ]


def _revoke(arguments: argparse.Namespace, stores: Stores) -> None:
    keys.revoke_key(stores.control, arguments.key, now_ms())
    message(f"revoked; a running collector refuses the key within {REFRESH_SECONDS:.0f} s")


def _limit(arguments: argparse.Namespace, stores: Stores) -> None:
    given = {"rate": arguments.rate, "daily": arguments.daily}
    limits = {name: value[0] for name, value in given.items() if value is not None}
    if not limits:
        raise AdminError("say what to limit: --rate N, --daily SIZE, or both")
    keys.limit_key(stores.control, arguments.key, limits, now_ms())
    message(f"limited; a running collector notices within {REFRESH_SECONDS:.0f} s")

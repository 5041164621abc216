"""Verbs for the store: delete events, old ones or those of a write key; and count everything anew."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from collector.admin import AdminError, keys
from collector.admin.audit import COMMAND_LINE, record
from collector.base.keep import DURATION, read_seconds
from collector.base.times import read_time
from collector.store import Stores
from collector.store.deletion import expire_events, remove_events
from collector.store.values import Cutoffs
from collector.verbs.senders import KEY
from collector.verbs.terminal import message, now_ms, progress

LATEST = 2**62


def add_verbs(verbs: Any, make_verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the verbs to the command line."""
    made = make_verb(
        verbs, "purge", _purge, "delete events that were received long ago, or with one write key"
    )
    which = made.add_mutually_exclusive_group(required=True)
    old = "those received before that; numbers by day stay"
    which.add_argument("--older-than", metavar="90d", type=_seconds, help=old)
    of_key = f"those that came with a write key, and all that they were counted in; {KEY}"
    which.add_argument("--key", metavar="KEY", help=of_key)
    when = "with --key: only those received {} a day or a time (UTC), e.g. 2026-11-28 or 2026-11-28T10:00Z"
    made.add_argument("--since", metavar="TIME", type=_time, default=0, help=when.format("from"))
    made.add_argument("--until", metavar="TIME", type=_time, default=LATEST, help=when.format("before"))
    text = "make every counter anew from the events, instances and runs; a running server goes on meanwhile"
    make_verb(verbs, "recount", _recount, text)


def _seconds(text: str) -> int:
    try:
        return read_seconds(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {DURATION}") from None


def _time(text: str) -> int:
    time = read_time(text)
    if time is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day or a time such as 2026-11-28T10:00Z")
    return time


def _purge(arguments: argparse.Namespace, stores: Stores) -> None:
    now = now_ms()
    if arguments.key is None:
        if (arguments.since, arguments.until) != (0, LATEST):
            raise AdminError("--since and --until go with --key; --older-than is a period by itself")
        before = Cutoffs.all_at(max(0, now - arguments.older_than * 1000))
        expired = expire_events(stores, before, now, progress("deleted"))
        count = expired.deleted
        if expired.bundles:
            message(f"{expired.bundles} support bundles deleted")
    else:
        key = keys.find_key(stores.control, arguments.key)
        count = remove_events(stores, key.id, arguments.since, arguments.until, progress("deleted"))
        with stores.control.transaction() as tx:
            record(tx, now, COMMAND_LINE, "purged key", f"{key.hint}…: {count} events")
    message(f"{count} events deleted")


def _recount(_: argparse.Namespace, stores: Stores) -> None:
    wrong = stores.events.recount(progress("read"))
    message(f"{wrong} counters were wrong and are corrected" if wrong else "every counter is right")

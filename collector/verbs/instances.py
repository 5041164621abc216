"""The verb that deletes an instance."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from collector.admin import AdminError
from collector.admin.keys import find_source
from collector.base.ids import key_of
from collector.ingest.forget import receipt
from collector.store import Stores
from collector.store.deletion import forget_instance
from collector.verbs.terminal import now_ms


def add_verbs(
    make_group: Callable[[str, str], Any], make_verb: Callable[..., argparse.ArgumentParser]
) -> None:
    """Add the verb to the command line."""
    group = make_group("instances", "delete what is stored of an instance")
    text = "delete an instance: its events, runs and requests for help, and its share of the counts"
    made = make_verb(group, "delete", _delete, text)
    made.add_argument("id", metavar="ID", help="the whole id")
    made.add_argument("--source", metavar="S", help="only from this source [from all]")


def _delete(arguments: argparse.Namespace, stores: Stores) -> None:
    """Delete an instance from every source that has it; a receipt a source on stdout."""
    with stores.control.transaction() as tx:
        only = None if arguments.source is None else find_source(tx, arguments.source)
    found = False
    for number, name in stores.control.all("SELECT id, name FROM sources ORDER BY id"):
        if only not in (None, number):
            continue
        done = forget_instance(stores, number, key_of(arguments.id))
        if done.events or done.instances or done.bundles:
            found = True
            line = {"source": name, **receipt(arguments.id, done, now_ms())}
            sys.stdout.write(json.dumps(line) + "\n")
    if not found:
        raise AdminError("nothing is stored of an instance with this id")

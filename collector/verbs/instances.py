"""The verb that deletes an instance."""

from __future__ import annotations

import argparse
import json
import sys

from collector.admin import AdminError
from collector.base.ids import key_of
from collector.ingest.forget import receipt
from collector.store import Stores
from collector.store.deletion import forget_instance
from collector.verbs.terminal import now_ms


def delete_instance(arguments: argparse.Namespace, stores: Stores) -> None:
    """Delete an instance from every source that has it; a receipt a source on stdout."""
    found = False
    for number, name in stores.control.all("SELECT id, name FROM sources ORDER BY id"):
        if arguments.source not in (None, name):
            continue
        done = forget_instance(stores, number, key_of(arguments.id))
        if done.events or done.instances or done.bundles:
            found = True
            line = {"source": name, **receipt(arguments.id, done, now_ms())}
            sys.stdout.write(json.dumps(line) + "\n")
    if not found:
        raise AdminError("nothing is stored of an instance with this id")

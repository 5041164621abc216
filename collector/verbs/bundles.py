"""The verb that opens a support bundle. It needs no collector and no database."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from collector.admin import bundles
from collector.verbs.terminal import message

Verb = Callable[..., argparse.ArgumentParser]


def add_verbs(group: Callable[[str, str], Any], verb: Verb) -> None:
    text = "open a sealed support bundle, with the private key, into a new folder"
    made = verb(group("bundles", "open support bundles"), "open", _open, text)
    made.add_argument("file", metavar="FILE", help="the sealed bundle")
    made.add_argument("--key", metavar="FILE", required=True, help="the private key, as JWK")
    made.add_argument("-o", dest="folder", metavar="DIR", required=True, help="the folder to make")
    made.set_defaults(storeless=True)


def _open(arguments: argparse.Namespace, _: None = None) -> None:
    key = bundles.read_text(arguments.key, bundles.MAX_KEY)
    sealed = bundles.read_text(arguments.file, bundles.MAX_SEALED)
    for name in bundles.open_bundle(sealed, key, arguments.folder):
        print(name)
    message(f"opened into {arguments.folder}")

"""The verbs for support bundles, on a member's own machine. They need no database."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.admin import AdminError, bundles
from collector.admin.member_client import Member
from collector.admin.member_keys import key_of_recovery
from collector.admin.remote import Remote, RemoteBundle
from collector.base.sealed import MAX_SEALED
from collector.settings import PREFIX
from collector.verbs.members import note_path, signed_in
from collector.verbs.terminal import message

Verb = Callable[..., argparse.ArgumentParser]
LEAST_DIGITS = 8
ID = re.compile(rf"[0-9a-fA-F]{{{LEAST_DIGITS},64}}")


def add_verbs(make_group: Callable[[str, str], Any], verb: Verb) -> None:
    group = make_group("bundles", "list, fetch and open support bundles")
    _add_remote(verb(group, "list", _list, "list the sealed bundles that a collector has", storeless=True))
    text = "fetch a sealed bundle into a file, without opening it"
    made = _add_remote(verb(group, "fetch", _fetch, text, storeless=True))
    made.add_argument("id", metavar="ID", help="its SHA-256, or the first eight digits or more")
    made.add_argument("-o", dest="file", metavar="FILE", help="the file to make [bundle-ID.jwe]")
    text = "open a sealed bundle, with the private key, into a new folder"
    made = _add_remote(verb(group, "open", _open, text, storeless=True))
    made.add_argument("id", metavar="ID|FILE", help="a bundle of the collector, or a file")
    key = "the private key, as JWK or as a recovery code [that of this machine's member]"
    made.add_argument("--key", metavar="FILE", help=key)
    made.add_argument("-o", dest="folder", metavar="DIR", help="the folder to make [bundle-ID]")


def _add_remote(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    made.add_argument("--collector", metavar="URL", help=f"its address [{PREFIX}PUBLIC_URL]")
    made.add_argument(
        "--token-file",
        metavar="FILE",
        help=f"holds an API token with the role support [{PREFIX}TOKEN has one]",
    )
    made.add_argument("--source", metavar="S", help="only of this source [of the first that has events]")
    made.add_argument("--member", metavar="FILE", help="as for `members`")
    return made


def remote_of(arguments: argparse.Namespace) -> Remote:
    """The collector that is asked. AdminError without an address or a token."""
    base = arguments.collector or arguments.settings.public_url
    if not base:
        raise AdminError(f"no collector is named; use --collector URL, or set {PREFIX}PUBLIC_URL")
    if arguments.token_file:
        return Remote(base, bundles.read_text(arguments.token_file, bundles.MAX_TOKEN))
    if not arguments.settings.token:
        raise AdminError(
            f"no API token is given; use --token-file FILE, or set {PREFIX}TOKEN, or become a member"
        )
    return Remote(base, arguments.settings.token)


def _member_of(arguments: argparse.Namespace) -> Member | None:
    """This machine's member, if it is one's and nothing else is named."""
    named = arguments.token_file or arguments.settings.token or getattr(arguments, "key", None)
    return None if named or not note_path(arguments).exists() else signed_in(arguments)


def _list(arguments: argparse.Namespace, _: None = None) -> None:
    member = _member_of(arguments)
    remote = member.remote if member else remote_of(arguments)
    for one in remote.bundles(arguments.source):
        told = (one.id, one.arrived, f"{one.size} bytes", f"run {one.run or '-'}", f"key {one.key}")
        sys.stdout.write("\t".join(told) + "\n")


def _fetch(arguments: argparse.Namespace, _: None = None) -> None:
    member = _member_of(arguments)
    remote = member.remote if member else remote_of(arguments)
    found = meant(remote.bundles(arguments.source), arguments.id)
    path = Path(arguments.file or f"bundle-{found.id[:12]}.jwe")
    data = remote.fetch(found.id)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    message(f"fetched into {path}; its SHA-256 is {found.id}")


def _open(arguments: argparse.Namespace, _: None = None) -> None:
    member = None if arguments.key else _member_of(arguments)
    if not arguments.key and member is None:
        raise AdminError("no key opens it: use --key FILE, or become a member of this machine")
    if os.path.isfile(arguments.id):
        sealed, name = bundles.read_text(arguments.id, MAX_SEALED), Path(arguments.id).stem
    elif not ID.fullmatch(arguments.id):
        raise AdminError(
            f"{arguments.id} is neither a file nor a bundle's id, which has {LEAST_DIGITS} digits or more"
        )
    else:
        remote = member.remote if member else remote_of(arguments)
        found = meant(remote.bundles(arguments.source), arguments.id)
        sealed, name = remote.fetch(found.id).decode("ascii", "replace"), f"bundle-{found.id[:12]}"
    folder = arguments.folder or name
    for file in bundles.open_bundle(sealed, _key_for(sealed, arguments.key, member), folder):
        print(file)
    message(f"opened into {folder}")


def _key_for(sealed: str, path: str | None, member: Member | None) -> str:
    """The private key, as JWK: of a file, or the member's for which it is sealed."""
    if path:
        text = bundles.read_text(path, bundles.MAX_KEY)
        return text if text.startswith("{") else key_of_recovery(text).private_jwk
    keys = member.support_keys() if member else {}
    thumbprint = bundles.thumbprint_of(sealed)
    if thumbprint not in keys:
        raise AdminError(f"it is sealed for the key {thumbprint}, for which you have no link")
    return keys[thumbprint].private_jwk


def meant(found: list[RemoteBundle], text: str) -> RemoteBundle:
    """The only bundle whose id begins so. AdminError if there is not just one."""
    fitting = [one for one in found if ID.fullmatch(text) and one.id.startswith(text.lower())]
    if len(fitting) != 1:
        raise AdminError(
            f"{len(fitting) or 'no'} bundles have an id that begins with {text!r}, and no file has that name;"
            " see `rollcall-collector bundles list`"
        )
    return fitting[0]

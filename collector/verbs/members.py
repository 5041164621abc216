"""The verbs for members, who open bundles on their own machines. Only `reset` runs on the collector."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.admin import AdminError, member_client, member_keys
from collector.admin.audit import COMMAND_LINE
from collector.admin.bundles import MAX_TOKEN, read_text
from collector.admin.member_client import Member, Note
from collector.admin.member_records import reset_members
from collector.settings import PREFIX
from collector.store import Stores
from collector.verbs.terminal import message, now_ms

MEMBER = "what this machine remembers [member.json in your settings]"
LAST = (
    "You are the only member. If you lose the passphrase, all bundles are lost: write down a recovery code"
    " (rollcall-collector members backup) and let a second member in."
)


def add_verbs(
    make_group: Callable[[str, str], Any], make_verb: Callable[..., argparse.ArgumentParser]
) -> None:
    """Add the verbs of this module to the command line."""

    def own(name: str, action: Callable[..., None], text: str) -> argparse.ArgumentParser:
        made = make_verb(group, name, action, text, storeless=True)
        made.add_argument("--member", metavar="FILE", help=MEMBER)
        return made

    group = make_group("members", "who opens support bundles; each on their own machine")
    join = own("join", _join, "make a pair of keys here, and ask to become a member")
    join.add_argument("name", metavar="NAME", help="what the others know you by")
    join.add_argument("--collector", metavar="URL", help=f"its address [{PREFIX}PUBLIC_URL]")
    token = f"holds an API token with the role support [{PREFIX}TOKEN has one]"
    join.add_argument("--token-file", metavar="FILE", help=token)
    own("list", _list, "list the members and who waits, with their fingerprints")
    text = "say yes to somebody, whose fingerprint you have compared by voice"
    approve = own("approve", _approve, text)
    approve.add_argument("name", metavar="NAME")
    approve.add_argument("--fingerprint", metavar="F", required=True, help="as they read it to you")
    text = "remove a member, and make a new support key that they do not have"
    remove = own("remove", _remove, text)
    remove.add_argument("name", metavar="NAME")
    keep = "keep the support key: they only lost their passphrase, and join again"
    remove.add_argument("--keep-key", action="store_true", help=keep)
    text = "use a support key, whose thumbprint you have compared with another member"
    own("trust", _trust, text).add_argument("thumbprint", metavar="THUMBPRINT")
    own("key", _key, "print the public support key, for ROLLCALL_SUPPORT_KEY")
    text = "print a recovery code: whoever has it opens every bundle for the support key of today"
    own("backup", _backup, text)
    make_verb(group, "reset", _reset, "on the collector: remove all members, to begin anew")


def note_path(arguments: argparse.Namespace) -> Path:
    """Where this machine's note is."""
    if getattr(arguments, "member", None):
        return Path(arguments.member)
    settings = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.environ.get("HOME", "."), ".config")
    return Path(settings) / "rollcall-collector" / "member.json"


def signed_in(arguments: argparse.Namespace) -> Member:
    """The member of this machine."""
    note = Note.read(note_path(arguments))
    return member_client.sign_in(note, passphrase())


def passphrase(*, new: bool = False) -> str:
    """Typed on a terminal, twice if it is new; or the first line of stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    typed = getpass.getpass("Passphrase: ")
    if new and typed != getpass.getpass("Again: "):
        raise AdminError("the passphrases are not the same")
    return typed


def _join(arguments: argparse.Namespace, _: None = None) -> None:
    base = arguments.collector or arguments.settings.public_url
    token = read_text(arguments.token_file, MAX_TOKEN) if arguments.token_file else arguments.settings.token
    if not base or not token:
        raise AdminError(
            f"joining takes --collector URL (or {PREFIX}PUBLIC_URL) and --token-file FILE (or {PREFIX}TOKEN)"
        )
    found, first = member_client.join(
        Note(note_path(arguments), base, arguments.name), token, passphrase(new=True)
    )
    sys.stdout.write(found + "\n")
    if first:
        message(f"you are the first member. {LAST}")
    else:
        message(
            "read this fingerprint to a member by voice. They say yes with `members approve`, and read you"
            " the thumbprint of the support key; then run: rollcall-collector members trust THUMBPRINT"
        )


def _list(arguments: argparse.Namespace, _: None = None) -> None:
    member = signed_in(arguments)
    people = member.people()
    for one in people:
        sys.stdout.write(f"{one.name}\t{one.fingerprint}\t{one.state}\n")
    message(f"the support key is {member.current_key().thumbprint}")
    if [one.state for one in people].count("member") == 1:
        message(LAST)


def _approve(arguments: argparse.Namespace, _: None = None) -> None:
    member = signed_in(arguments)
    member.approve(arguments.name, arguments.fingerprint)
    message(f"{arguments.name} is a member; read them the support key: {member.current_key().thumbprint}")


def _remove(arguments: argparse.Namespace, _: None = None) -> None:
    member = signed_in(arguments)
    before = member.current_key().thumbprint
    after = member.remove(arguments.name, keep_key=arguments.keep_key)
    message(f"{arguments.name} is removed")
    if after.thumbprint != before:
        sys.stdout.write(after.public_jwk + "\n")
        message(
            f"the support key is now {after.thumbprint}: ship it as ROLLCALL_SUPPORT_KEY, and have the others"
            " compare it. Who was removed still has the old key. Revoke the API token that they joined with"
            " (rollcall-collector tokens revoke NAME): with it, they still fetch what is sealed for that key"
        )


def _trust(arguments: argparse.Namespace, _: None = None) -> None:
    signed_in(arguments).trust(arguments.thumbprint)
    message("this support key is used from now on")


def _key(arguments: argparse.Namespace, _: None = None) -> None:
    key = signed_in(arguments).current_key()
    sys.stdout.write(key.public_jwk + "\n")
    message(f"its thumbprint is {key.thumbprint}")


def _backup(arguments: argparse.Namespace, _: None = None) -> None:
    key = signed_in(arguments).current_key()
    sys.stdout.write(member_keys.recovery_code(key) + "\n")
    message(
        f"write this down for the support key {key.thumbprint}, and lock it away: whoever has it opens every"
        " bundle. To use it, put it into a file: rollcall-collector bundles open ID --key FILE"
    )


def _reset(_: argparse.Namespace, stores: Stores) -> None:
    reset_members(stores.control, now_ms(), by=COMMAND_LINE)
    message("there are no members any more; the first who joins makes a new support key")

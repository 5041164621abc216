"""The verbs for who may look at the page: users, API tokens, the setup link, and the audit log."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import sys
from collections.abc import Callable, Sequence
from typing import Any

from collector.admin import AdminError, audit, setup, tokens, users
from collector.base.times import write_time
from collector.store import ControlStore, Stores
from collector.verbs.terminal import message, now_ms

# Makes a verb of a group, with the options that all verbs have.
MakeVerb = Callable[..., argparse.ArgumentParser]


def add_verbs(make_group: Callable[[str, str], Any], make_verb: MakeVerb) -> None:
    """Add the verbs of this module to the command line."""
    group = make_group("users", "manage the users of the page")
    add = make_verb(
        group, "add", _users_add, "add a user; asks for the password, or reads it from stdin", makes=True
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", choices=users.ROLES, default="viewer")
    add.add_argument("--source", metavar="S", help="the only source that they see")
    add.add_argument("--no-password", action="store_true", help="they come in by single sign-on alone")
    make_verb(group, "list", _users_list, "list the users")
    remove = make_verb(group, "remove", _users_remove, "remove a user and end their sessions")
    remove.add_argument("name", metavar="NAME")
    group = make_group("tokens", "manage the API tokens, by which programs read the page")
    add = make_verb(
        group, "add", _tokens_add, "create an API token and print it; it is shown only once", makes=True
    )
    add.add_argument("name", metavar="NAME", help="what it is for")
    add.add_argument("--role", choices=tokens.ROLES, default="viewer")
    add.add_argument("--source", metavar="S", help="the only source that it reads")
    make_verb(group, "list", _tokens_list, "list the API tokens")
    revoke = make_verb(group, "revoke", _tokens_revoke, "revoke an API token at once")
    revoke.add_argument("token", metavar="NAME", help="its name, or the whole token")


def add_single_verbs(verbs: Any, make_verb: MakeVerb) -> None:
    """Add the verbs that are in no group."""
    log = make_verb(verbs, "audit", _audit, "list who signed in, and who changed users, keys and tokens")
    log.add_argument(
        "-n", metavar="N", dest="most", type=_number, default=100, help="how many, newest last [100]"
    )
    text = "print a link that opens the page once, while no user exists"
    link = make_verb(verbs, "setup-link", _setup_link, text)
    link.add_argument("--listen", metavar="HOST:PORT", help="as for `serve`, if that is not the default")


def _number(text: str) -> int:
    return min(max(int(text), 0), sys.maxsize)


def tell_setup(control: ControlStore, base: str, command: str) -> None:
    """Say how to open the page while no user exists. The link is a secret: only a terminal shows it.

    `command` makes one.
    """
    if users.any_user(control):
        return
    if not sys.stderr.isatty():
        message(f"no user exists yet, so the page is closed; to open it: {command}")
        return
    with contextlib.suppress(AdminError):  # somebody added a user meanwhile
        link = setup.new_link(control, base, now_ms())
        message(f"no user exists yet; this link opens the page, once, within 15 minutes: {link}")


def _audit(arguments: argparse.Namespace, stores: Stores) -> None:
    for at, actor, action, subject, times in reversed(audit.latest_entries(stores.control, arguments.most)):
        often = f"{times} times" if times > 1 else ""
        sys.stdout.write("\t".join((write_time(at), actor, action, subject, often)).rstrip() + "\n")


def _setup_link(arguments: argparse.Namespace, stores: Stores) -> None:
    sys.stdout.write(setup.new_link(stores.control, setup.address(arguments.settings), now_ms()) + "\n")
    message("open this link within 15 minutes; it works once. Earlier links no longer work")


def _users_add(arguments: argparse.Namespace, stores: Stores) -> None:
    password = None if arguments.no_password else _password()
    users.add_user(
        stores.control, arguments.name, arguments.role, password, now_ms(), source=arguments.source
    )


def _users_list(_: argparse.Namespace, stores: Stores) -> None:
    _print_rows(users.list_users(stores.control))


def _users_remove(arguments: argparse.Namespace, stores: Stores) -> None:
    users.remove_user(stores.control, arguments.name, now_ms())


def _tokens_add(arguments: argparse.Namespace, stores: Stores) -> None:
    token = tokens.add_token(stores.control, arguments.name, arguments.role, arguments.source, now_ms())
    sys.stdout.write(token + "\n")
    message("this token is shown only once; the collector stores only a digest of it")


def _tokens_list(_: argparse.Namespace, stores: Stores) -> None:
    _print_rows(tokens.list_tokens(stores.control))


def _tokens_revoke(arguments: argparse.Namespace, stores: Stores) -> None:
    tokens.revoke_token(stores.control, arguments.token, now_ms())


def _print_rows(rows: Sequence[users.User | tokens.Token]) -> None:
    for name, role, source, created in rows:
        sys.stdout.write(f"{name}\t{role}\t{source or 'all sources'}\tcreated {write_time(created)}\n")


def _password() -> str:
    """A new password, typed twice on a terminal, or the first line of stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Again: "):
        raise AdminError("the passwords are not the same")
    return password

"""The verbs for who may look at the page: users, and the setup link."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import sys
from collections.abc import Callable
from typing import Any

from collector.admin import AdminError, setup, users
from collector.base.times import write_time
from collector.store import Store
from collector.verbs.terminal import message, now_ms

# Makes a verb of a group, with the options that all verbs have.
MakeVerb = Callable[..., argparse.ArgumentParser]


def add_verbs(make_group: Callable[[str, str], Any], make_verb: MakeVerb) -> None:
    """Add the verbs of this module to the command line."""
    group = make_group("users", "manage the users of the page")
    add = make_verb(group, "add", _users_add, "add a user; asks for the password, or reads it from stdin")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", choices=users.ROLES, default="viewer")
    make_verb(group, "list", _users_list, "list the users")
    remove = make_verb(group, "remove", _users_remove, "remove a user and end their sessions")
    remove.add_argument("name", metavar="NAME")


def add_setup_link(verbs: Any, make_verb: MakeVerb) -> None:
    """Add the verb `setup-link`."""
    text = "print a link that opens the page once, while no user exists"
    link = make_verb(verbs, "setup-link", _setup_link, text)
    link.add_argument("--listen", metavar="HOST:PORT", help="as for `serve`, if that is not the default")


def tell_setup(store: Store, base: str) -> None:
    """Say how to open the page while no user exists. The link is a secret: only a terminal shows it."""
    if users.any_user(store):
        return
    if not sys.stderr.isatty():
        message("no user exists yet, so the page is closed; to open it: rollcall-collector setup-link")
        return
    with contextlib.suppress(AdminError):  # somebody added a user meanwhile
        link = setup.new_link(store, base, now_ms())
        message(f"no user exists yet; this link opens the page, once, within 15 minutes: {link}")


def _setup_link(arguments: argparse.Namespace, store: Store) -> None:
    sys.stdout.write(setup.new_link(store, setup.address(arguments.settings), now_ms()) + "\n")
    message("open this link within 15 minutes; it works once. Earlier links no longer work")


def _users_add(arguments: argparse.Namespace, store: Store) -> None:
    users.add_user(store, arguments.name, arguments.role, _password(), now_ms())


def _users_list(_: argparse.Namespace, store: Store) -> None:
    for name, role, created in users.list_users(store):
        sys.stdout.write(f"{name}\t{role}\tcreated {write_time(created)}\n")


def _users_remove(arguments: argparse.Namespace, store: Store) -> None:
    users.remove_user(store, arguments.name)


def _password() -> str:
    """A new password, typed twice on a terminal, or the first line of stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Again: "):
        raise AdminError("the passwords are not the same")
    return password

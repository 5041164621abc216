"""The users of the page: names, roles, and passwords hashed with scrypt."""

from __future__ import annotations

import hmac
import os
from hashlib import scrypt
from typing import NamedTuple

from collector.admin import AdminError, setup
from collector.admin.audit import COMMAND_LINE, record
from collector.admin.keys import find_source
from collector.admin.names import check_name
from collector.store import ControlStore
from collector.store.retries import with_retries

ROLES = ("viewer", "support", "admin")
SHORTEST_PASSWORD = 10


class Cost(NamedTuple):
    """What scrypt spends on a password: memory is 128 * n * r bytes, and time grows with n * r * p."""

    n: int
    r: int
    p: int


# One of the choices that OWASP names as equally strong, with the least memory: 16 MiB.
COST = Cost(2**14, 8, 5)
# Of hashes that do not name their cost.
FIRST_COST = Cost(2**14, 8, 1)


class User(NamedTuple):
    """A user without the password; `source` is the only one they see, None for all."""

    name: str
    role: str
    source: str | None
    created: int


def hash_password(password: str) -> str:
    """The hash that is stored for a password: `scrypt$N$R$P$SALT$DIGEST`, the last two in hex."""
    salt = os.urandom(16)
    cost = "$".join(map(str, COST))
    return f"scrypt${cost}${salt.hex()}${_digest(password, salt, COST).hex()}"


def password_is(password: str, kept: str) -> bool:
    """Whether a password matches a stored hash; takes the same time either way."""
    *cost, salt, wanted = kept.split("$")[1:]
    spent = Cost(*map(int, cost)) if cost else FIRST_COST
    digest = _digest(password, bytes.fromhex(salt), spent)
    if spent.p < COST.p:  # the rest of today's work, so that the time does not tell old hashes
        _digest(password, bytes.fromhex(salt), spent._replace(p=COST.p - spent.p))
    return hmac.compare_digest(digest.hex(), wanted)


def is_outdated(kept: str) -> bool:
    """Whether a stored hash was made at another cost than today's."""
    return not kept.startswith(f"scrypt${'$'.join(map(str, COST))}$")


@with_retries
def add_user(
    control: ControlStore,
    name: str,
    role: str,
    password: str | None,
    now: int,
    *,
    source: str | None = None,
    by: str = COMMAND_LINE,
) -> None:
    """Add a user, which ends the setup.

    With a source, they see no other one. Without a password, they come in by single sign-on alone.
    AdminError if the name is taken or wrong, the password too short, or the source does not exist.
    """
    check_name(name)
    if role == "admin" and source:
        raise AdminError("an admin cannot be limited to a source")
    kept = "" if password is None else _new_hash(password)
    with control.transaction() as tx:
        number = find_source(tx, source) if source else None
        sql = (
            "INSERT INTO users (name, role, password, created, source) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO NOTHING"
        )
        if not tx.execute(sql, name, role, kept, now, number):
            raise AdminError(f"the user {name!r} already exists")
        setup.end_setup(tx)
        record(tx, now, by, "added user", f"{name} ({role}, {source or 'all sources'})")


@with_retries
def remove_user(control: ControlStore, name: str, now: int, *, by: str = COMMAND_LINE) -> None:
    """Remove a user, which ends their sessions. AdminError if the name does not exist."""
    with control.transaction() as tx:
        if not tx.execute("DELETE FROM users WHERE name = ?", name):
            raise AdminError(f"the user {name!r} does not exist")
        setup.end_setup(tx)
        record(tx, now, by, "removed user", name)


@with_retries
def change_password(control: ControlStore, name: str, before: str, password: str, now: int) -> None:
    """Store a user's new password in place of a hash, and end their sessions.

    AdminError if it is too short, or if the stored hash is another one by now.
    """
    kept = _new_hash(password)
    with control.transaction() as tx:
        if not tx.execute(
            "UPDATE users SET password = ? WHERE name = ? AND password = ?", kept, name, before
        ):
            raise AdminError("the password was changed meanwhile; sign in again")
        tx.execute("DELETE FROM sessions WHERE user_name = ?", name)
        record(tx, now, name, "changed their password")


@with_retries
def renew_hash(control: ControlStore, name: str, password: str, outdated: str) -> str:
    """Hash a password anew, at today's cost, and store it unless it was changed meanwhile; the new hash."""
    kept = hash_password(password)
    with control.transaction() as tx:
        tx.execute("UPDATE users SET password = ? WHERE name = ? AND password = ?", kept, name, outdated)
    return kept


def any_user(control: ControlStore) -> bool:
    """Whether any user exists."""
    return bool(control.all("SELECT 1 FROM users LIMIT 1"))


def list_users(control: ControlStore) -> list[User]:
    """Every user by name."""
    sql = (
        "SELECT u.name, u.role, s.name, u.created FROM users u LEFT JOIN sources s ON s.id = u.source"
        " ORDER BY u.name"
    )
    return [User(*row) for row in control.all(sql)]


def _digest(password: str, salt: bytes, cost: Cost) -> bytes:
    raw = password.encode("utf-8", "surrogatepass")
    return scrypt(raw, salt=salt, dklen=32, maxmem=2**26, n=cost.n, r=cost.r, p=cost.p)


def _new_hash(password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise AdminError(f"a password must have at least {SHORTEST_PASSWORD} characters")
    return hash_password(password)

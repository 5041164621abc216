"""The users of the page: names, roles, and passwords hashed with scrypt."""

from __future__ import annotations

import hmac
import os
from hashlib import scrypt
from typing import NamedTuple

from collector.admin import AdminError, setup
from collector.admin.keys import find_source
from collector.admin.names import check_name
from collector.store import Store

ROLES = ("viewer", "support", "admin")
SHORTEST_PASSWORD = 10
# Each check takes 16 MiB of memory and about 50 ms.
_COST = {"n": 2**14, "r": 8, "p": 1}


class User(NamedTuple):
    """A user without the password; `source` is the only one they see, None for all."""

    name: str
    role: str
    source: str | None
    created: int


def hash_password(password: str) -> str:
    """The hash that is stored for a password: `scrypt$SALT$DIGEST` in hex."""
    salt = os.urandom(16)
    return f"scrypt${salt.hex()}${_digest(password, salt).hex()}"


def password_is(password: str, kept: str) -> bool:
    """Whether a password matches a stored hash; takes the same time either way."""
    _, salt, wanted = kept.split("$")
    return hmac.compare_digest(_digest(password, bytes.fromhex(salt)).hex(), wanted)


def add_user(
    store: Store, name: str, role: str, password: str, now: int, *, source: str | None = None
) -> None:
    """Add a user, which ends the setup. With a source, they see no other one.

    AdminError if the name is taken or wrong, the password too short, or the source does not exist.
    """
    check_name(name)
    if role == "admin" and source:
        raise AdminError("an admin cannot be limited to a source")
    if len(password) < SHORTEST_PASSWORD:
        raise AdminError(f"a password must have at least {SHORTEST_PASSWORD} characters")
    kept = hash_password(password)
    with store.transaction() as tx:
        number = find_source(tx, source) if source else None
        sql = (
            "INSERT INTO users (name, role, password, created, source) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO NOTHING"
        )
        if not tx.execute(sql, name, role, kept, now, number):
            raise AdminError(f"the user {name!r} already exists")
        setup.end_setup(tx)


def remove_user(store: Store, name: str) -> None:
    """Remove a user. AdminError if the name does not exist."""
    with store.transaction() as tx:
        if not tx.execute("DELETE FROM users WHERE name = ?", name):
            raise AdminError(f"the user {name!r} does not exist")
        setup.end_setup(tx)


def any_user(store: Store) -> bool:
    """Whether any user exists."""
    return bool(store.all("SELECT 1 FROM users LIMIT 1"))


def list_users(store: Store) -> list[User]:
    """Every user by name."""
    sql = (
        "SELECT u.name, u.role, s.name, u.created FROM users u LEFT JOIN sources s ON s.id = u.source"
        " ORDER BY u.name"
    )
    return [User(*row) for row in store.all(sql)]


def _digest(password: str, salt: bytes) -> bytes:
    return scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, dklen=32, maxmem=2**26, **_COST)

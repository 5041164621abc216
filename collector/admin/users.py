"""The users of the page: names, roles, and passwords hashed with scrypt."""

from __future__ import annotations

import hmac
import os
from hashlib import scrypt

from collector.admin import AdminError, setup
from collector.store import Store
from collector.store.base import Row

ROLES = ("viewer", "support", "admin")
SHORTEST_PASSWORD = 10
LONGEST_NAME = 100
# Each check takes 16 MiB of memory and about 50 ms.
_COST = {"n": 2**14, "r": 8, "p": 1}


def hash_password(password: str) -> str:
    """The hash that is stored for a password: `scrypt$SALT$DIGEST` in hex."""
    salt = os.urandom(16)
    return f"scrypt${salt.hex()}${_digest(password, salt).hex()}"


def password_is(password: str, kept: str) -> bool:
    """Whether a password matches a stored hash; takes the same time either way."""
    _, salt, wanted = kept.split("$")
    return hmac.compare_digest(_digest(password, bytes.fromhex(salt)).hex(), wanted)


def add_user(store: Store, name: str, role: str, password: str, now: int) -> None:
    """Add a user, which ends the setup. AdminError if the name is taken or wrong, or the password short."""
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise AdminError(f"a name has 1 to {LONGEST_NAME} characters, none of them invisible")
    if len(password) < SHORTEST_PASSWORD:
        raise AdminError(f"a password must have at least {SHORTEST_PASSWORD} characters")
    kept = hash_password(password)
    with store.transaction() as tx:
        sql = "INSERT INTO users (name, role, password, created) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        if not tx.execute(sql, name, role, kept, now):
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


def list_users(store: Store) -> list[Row]:
    """Name, role and creation time of each user."""
    return store.all("SELECT name, role, created FROM users ORDER BY name")


def _digest(password: str, salt: bytes) -> bytes:
    return scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, dklen=32, maxmem=2**26, **_COST)

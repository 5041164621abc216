"""Who may look at the page: names, roles, and passwords kept by scrypt."""

from __future__ import annotations

import hmac
import os
from hashlib import scrypt

from collector.store import Store

ROLES = ("viewer", "support")
SHORTEST_PASSWORD = 10
# 16 MiB and about 50 ms a try.
_COST = {"n": 2**14, "r": 8, "p": 1}


class UserError(Exception):
    """A user cannot be made or removed; the message says why."""


def hash_password(password: str) -> str:
    """What is kept of a password: `scrypt$SALT$DIGEST` in hex."""
    salt = os.urandom(16)
    return f"scrypt${salt.hex()}${_digest(password, salt).hex()}"


def password_is(password: str, kept: str) -> bool:
    """Whether a password is the one whose hash is kept; takes the same time either way."""
    _, salt, wanted = kept.split("$")
    return hmac.compare_digest(_digest(password, bytes.fromhex(salt)).hex(), wanted)


def add_user(store: Store, name: str, role: str, password: str, now: int) -> None:
    """A new user; UserError if there is one of that name or the password is too short."""
    if len(password) < SHORTEST_PASSWORD:
        msg = f"a password has at least {SHORTEST_PASSWORD} characters"
        raise UserError(msg)
    kept = hash_password(password)
    with store.transaction() as tx:
        sql = "INSERT INTO users (name, role, password, created) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        if not tx.execute(sql, name, role, kept, now):
            msg = f"there is a user {name!r} already"
            raise UserError(msg)


def remove_user(store: Store, name: str) -> None:
    """Remove a user; UserError if there is none of that name."""
    with store.transaction() as tx:
        if not tx.execute("DELETE FROM users WHERE name = ?", name):
            msg = f"there is no user {name!r}"
            raise UserError(msg)


def list_users(store: Store) -> list[tuple[str, str, int]]:
    """Name, role, and when each user was made."""
    return [
        (name, role, created)
        for name, role, created in store.all("SELECT name, role, created FROM users ORDER BY name")
    ]


def _digest(password: str, salt: bytes) -> bytes:
    return scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, dklen=32, maxmem=2**26, **_COST)

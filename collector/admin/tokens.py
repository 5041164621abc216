"""API tokens: how a program reads the page. A token is shown once; only its digest is stored."""

from __future__ import annotations

from typing import NamedTuple

from collector.admin import AdminError
from collector.admin.audit import COMMAND_LINE, record
from collector.admin.keys import find_source
from collector.admin.names import check_name
from collector.base.secrets import new_secret, secret_digest
from collector.store import ControlStore
from collector.store.retries import with_retries

ROLES = ("viewer", "support")
# Scanners that look for secrets in public code find a token by its beginning.
PREFIX = "rct_"


class Token(NamedTuple):
    """An API token without its secret; `source` is the only one it may read, None for all."""

    name: str
    role: str
    source: str | None
    created: int


class TokenAccess(NamedTuple):
    """What a token opens; `source` is a number."""

    name: str
    role: str
    source: int | None


@with_retries
def add_token(
    control: ControlStore, name: str, role: str, source: str | None, now: int, *, by: str = COMMAND_LINE
) -> str:
    """A new token. AdminError if the name is taken or wrong, or the source does not exist."""
    check_name(name)
    token = PREFIX + new_secret()
    with control.transaction() as tx:
        number = find_source(tx, source) if source else None
        sql = (
            "INSERT INTO tokens (name, hash, role, source, created) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO NOTHING"
        )
        if not tx.execute(sql, name, secret_digest(token), role, number, now):
            raise AdminError(f"the token {name!r} already exists")
        record(tx, now, by, "added token", f"{name} ({role}, {source or 'all sources'})")
    return token


def list_tokens(control: ControlStore) -> list[Token]:
    """Every token by name."""
    sql = (
        "SELECT t.name, t.role, s.name, t.created FROM tokens t LEFT JOIN sources s ON s.id = t.source"
        " ORDER BY t.name"
    )
    return [Token(*row) for row in control.all(sql)]


@with_retries
def revoke_token(control: ControlStore, which: str, now: int, *, by: str = COMMAND_LINE) -> None:
    """Delete a token by its name, or by all of it, if it was found where it should not be."""
    with control.transaction() as tx:
        # A name may begin as a token does.
        found = tx.all("SELECT name FROM tokens WHERE name = ? OR hash = ?", which, secret_digest(which))
        if not found:
            raise AdminError("no such token; see `rollcall-collector tokens list`")
        for (name,) in found:
            tx.execute("DELETE FROM tokens WHERE name = ?", name)
            record(tx, now, by, "revoked token", name)


def token_access(control: ControlStore, token: str) -> TokenAccess | None:
    """What this token opens; None if it is unknown or revoked."""
    rows = control.all("SELECT name, role, source FROM tokens WHERE hash = ?", secret_digest(token))
    return TokenAccess(*rows[0]) if rows else None

"""Who is signed in. Sessions are rows in the database, so deleting one ends it in every process."""

from __future__ import annotations

from typing import NamedTuple

from collector.admin.audit import record
from collector.store import ControlStore
from collector.store.retries import with_retries


class Session(NamedTuple):
    """A user who is signed in; the only source they see, if they are limited to one; since when; last use."""

    name: str
    role: str
    source: int | None
    began: int
    used: int


def find_user(control: ControlStore, name: str) -> tuple[str, int | None] | None:
    """Role, and the only source they see, of a user."""
    rows = control.all("SELECT role, source FROM users WHERE name = ?", name)
    return (rows[0][0], rows[0][1]) if rows else None


def password_of(control: ControlStore, name: str) -> str:
    """The stored hash of a user's password; empty if there is no such user, or none with a password."""
    rows = control.all("SELECT password FROM users WHERE name = ?", name)
    return str(rows[0][0]) if rows else ""


@with_retries
def begin_session(
    control: ControlStore, token: bytes, user: str, password: str, now: int, expired: int
) -> bool:
    """Store a new session, and delete those that began before `expired`.

    False, and no session, if the user has another stored password by now.
    """
    with control.transaction() as tx:
        tx.execute("DELETE FROM sessions WHERE began < ?", expired)
        # The row is held: a password that is changed at the same time ends this session too.
        held = "UPDATE users SET password = password WHERE name = ? AND password = ?"
        if not tx.execute(held, user, password):
            return False
        tx.execute(
            "INSERT INTO sessions (token, user_name, began, used) VALUES (?, ?, ?, ?)", token, user, now, now
        )
        record(tx, now, user, "signed in")
        return True


def find_session(control: ControlStore, token: bytes) -> Session | None:
    """The session with this token's digest."""
    sql = (
        "SELECT u.name, u.role, u.source, s.began, s.used"
        " FROM sessions s JOIN users u ON u.name = s.user_name WHERE s.token = ?"
    )
    rows = control.all(sql, token)
    return Session(*rows[0]) if rows else None


@with_retries
def touch_session(control: ControlStore, token: bytes, now: int) -> None:
    """Store when a session was used."""
    with control.transaction() as tx:
        tx.execute("UPDATE sessions SET used = ? WHERE token = ?", now, token)


@with_retries
def end_session(control: ControlStore, token: bytes) -> None:
    with control.transaction() as tx:
        tx.execute("DELETE FROM sessions WHERE token = ?", token)

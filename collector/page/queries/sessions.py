"""Who is signed in: kept here as digests, so that a session ends when it is deleted, everywhere at once."""

from __future__ import annotations

from collector.store import Store


def has_users(store: Store) -> bool:
    """Whether anybody needs to sign in."""
    return bool(store.all("SELECT 1 FROM users LIMIT 1"))


def password_of(store: Store, name: str) -> str | None:
    """What is kept of a user's password."""
    rows = store.all("SELECT password FROM users WHERE name = ?", name)
    return rows[0][0] if rows else None


def begin_session(store: Store, token: bytes, user: str, now: int, expired: int) -> None:
    """Keep a new session, and drop those that began before `expired`."""
    with store.transaction() as tx:
        tx.execute("DELETE FROM sessions WHERE began < ?", expired)
        tx.execute(
            "INSERT INTO sessions (token, user_name, began, used) VALUES (?, ?, ?, ?)", token, user, now, now
        )


def find_session(store: Store, token: bytes) -> tuple[str, str, int, int] | None:
    """Name, role, when it began and when it was last used."""
    sql = (
        "SELECT u.name, u.role, s.began, s.used FROM sessions s JOIN users u ON u.name = s.user_name"
        " WHERE s.token = ?"
    )
    rows = store.all(sql, token)
    return (rows[0][0], rows[0][1], rows[0][2], rows[0][3]) if rows else None


def touch_session(store: Store, token: bytes, now: int) -> None:
    """Remember that a session is in use."""
    with store.transaction() as tx:
        tx.execute("UPDATE sessions SET used = ? WHERE token = ?", now, token)


def end_session(store: Store, token: bytes) -> None:
    """End a session."""
    with store.transaction() as tx:
        tx.execute("DELETE FROM sessions WHERE token = ?", token)

"""Who is signed in. Sessions are rows in the database, so deleting one ends it in every process."""

from __future__ import annotations

from collector.store import Store


def has_users(store: Store) -> bool:
    """Whether any user exists."""
    return bool(store.all("SELECT 1 FROM users LIMIT 1"))


def password_of(store: Store, name: str) -> str | None:
    """The stored hash of a user's password."""
    rows = store.all("SELECT password FROM users WHERE name = ?", name)
    return rows[0][0] if rows else None


def begin_session(store: Store, token: bytes, user: str, now: int, expired: int) -> None:
    """Store a new session, and delete those that began before `expired`."""
    with store.transaction() as tx:
        tx.execute("DELETE FROM sessions WHERE began < ?", expired)
        tx.execute(
            "INSERT INTO sessions (token, user_name, began, used) VALUES (?, ?, ?, ?)", token, user, now, now
        )


def find_session(store: Store, token: bytes) -> tuple[str, str, int, int] | None:
    """Name, role, and when the session began and was last used."""
    sql = (
        "SELECT u.name, u.role, s.began, s.used FROM sessions s JOIN users u ON u.name = s.user_name"
        " WHERE s.token = ?"
    )
    rows = store.all(sql, token)
    return (rows[0][0], rows[0][1], rows[0][2], rows[0][3]) if rows else None


def touch_session(store: Store, token: bytes, now: int) -> None:
    """Store when a session was used."""
    with store.transaction() as tx:
        tx.execute("UPDATE sessions SET used = ? WHERE token = ?", now, token)


def end_session(store: Store, token: bytes) -> None:
    with store.transaction() as tx:
        tx.execute("DELETE FROM sessions WHERE token = ?", token)

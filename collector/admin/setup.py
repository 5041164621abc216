"""The setup link: how the first person sees the page before any user exists.

A link works once, for a quarter of an hour. Whoever opens it gets a session without a user, which
ends as soon as the first user exists. Of both the database stores only a digest.
"""

from __future__ import annotations

from collector.admin import AdminError
from collector.admin.audit import COMMAND_LINE, record
from collector.base.secrets import new_secret, secret_digest
from collector.settings import Settings
from collector.store import ControlStore
from collector.store.database import Transaction
from collector.store.retries import with_retries

LINK_MS = 15 * 60_000
SESSION_MS = 12 * 3_600_000
PATH = "/setup"
# Who acts in such a session, in the audit log.
LINK = "the setup link"

_NO_USER = "NOT EXISTS (SELECT 1 FROM users)"


@with_retries
def new_link(control: ControlStore, base: str, now: int) -> str:
    """A new setup link; earlier ones stop working. AdminError if a user exists."""
    token = new_secret()
    with control.transaction() as tx:
        if tx.all("SELECT 1 FROM users LIMIT 1"):
            raise AdminError("a setup link is for a page without users; see `rollcall-collector users list`")
        tx.execute("DELETE FROM setup WHERE kind = 'link' OR until <= ?", now)
        _insert(tx, token, "link", now + LINK_MS)
        record(tx, now, COMMAND_LINE, "made a setup link")
    return f"{base}{PATH}?token={token}"


def link_is_valid(control: ControlStore, token: str, now: int) -> bool:
    """Whether a link can still be used."""
    return _exists(control, token, "link", now)


@with_retries
def spend_link(control: ControlStore, token: str, now: int) -> str | None:
    """The secret of a new setup session, or None if the link is used, too old or unknown."""
    secret = new_secret()
    with control.transaction() as tx:
        sql = f"DELETE FROM setup WHERE secret = ? AND kind = 'link' AND until > ? AND {_NO_USER}"
        if not tx.execute(sql, secret_digest(token), now):
            return None
        _insert(tx, secret, "session", now + SESSION_MS)
        record(tx, now, LINK, "opened the page")
    return secret


def has_session(control: ControlStore, secret: str, now: int) -> bool:
    """Whether this is the secret of a setup session. There is none once a user exists."""
    return _exists(control, secret, "session", now)


def end_setup(tx: Transaction) -> None:
    """End every link and session of the setup."""
    tx.execute("DELETE FROM setup")


def address(settings: Settings) -> str:
    """The page's address for a browser: the public one, or where the server listens."""
    host, port = settings.listen
    return settings.public_url or local_address(host, port)


def local_address(host: str, port: int) -> str:
    """A URL of a host and port; for every address of this machine, its loopback address."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _insert(tx: Transaction, secret: str, kind: str, until: int) -> None:
    sql = "INSERT INTO setup (secret, kind, until) VALUES (?, ?, ?)"
    tx.execute(sql, secret_digest(secret), kind, until)


def _exists(control: ControlStore, secret: str, kind: str, now: int) -> bool:
    sql = f"SELECT 1 FROM setup WHERE secret = ? AND kind = ? AND until > ? AND {_NO_USER}"
    return bool(control.all(sql, secret_digest(secret), kind, now))

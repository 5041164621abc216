"""What the collector stores of the members who open support bundles. None of it opens anything.

Of each member a public key, the private key wrapped under a passphrase, and a verifier for sign-in. Of each
support key the public half, and the private half wrapped for each member (a link). The roster says who is
a member, and is sealed with a code that only members can make. Members check all of it on their own machines.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from collector.admin import AdminError
from collector.admin.audit import record, record_failure
from collector.admin.names import check_name
from collector.admin.tokens import PREFIX
from collector.base.secrets import new_secret, secret_digest
from collector.base.srp import GROUP, Server, SrpError
from collector.store import ControlStore
from collector.store.database import Transaction
from collector.store.retries import with_retries

MOST_MEMBERS = 100
CHALLENGE_MS = 60_000
MOST_CHALLENGES = 1000
SESSION_MS = 3_600_000
SALT_BYTES = 16
# Whose turn it is to change the roster: no source has this number.
_TURN = -1


class NotAllowed(Exception):  # noqa: N818 - an outcome
    """The caller is no member, or not any more."""


class Account(NamedTuple):
    """What a member's machine hands over when it joins; texts are hexadecimal or JSON."""

    name: str
    public: str
    auth_salt: str
    srp_salt: str
    verifier: str
    wrapped: str


class KnownMember(NamedTuple):
    """A member as the page shows them; `state` is `member` or `waiting`."""

    name: str
    state: str
    created: int


class Challenge(NamedTuple):
    """The collector's first answer in a sign-in."""

    id: str
    auth_salt: str
    srp_salt: str
    public: int


class Change(msgspec.Struct):
    """A new roster: its text and its code, who is in it, and the links and removals that go with it."""

    revision: int
    current: str
    text: str
    code: str
    names: list[str]
    links: dict[str, dict[str, str]] = {}
    removed: list[str] = []


class Session(NamedTuple):
    """The collector's second answer: its proof, a token for an hour, and the wrapped private key."""

    name: str
    verifier: str
    answer: bytes
    token: str
    wrapped: str


@with_retries
def join(control: ControlStore, account: Account, now: int) -> bool:
    """Add an account that waits for a member's yes; whether there is no support key yet."""
    check_name(account.name)
    with control.transaction() as tx:
        if tx.all("SELECT COUNT(*) FROM members")[0][0] >= MOST_MEMBERS:
            raise AdminError(f"there are {MOST_MEMBERS} members already")
        sql = (
            "INSERT INTO members (name, public, auth_salt, srp_salt, verifier, wrapped, state, created)"
            " VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?) ON CONFLICT (name) DO NOTHING"
        )
        if not tx.execute(sql, *account, now):
            raise AdminError(
                f"the member {account.name!r} exists already; another member can remove that name"
            )
        record(tx, now, account.name, "asked to become a member")
        return not tx.all("SELECT 1 FROM member_roster")


@with_retries
def begin_sign_in(control: ControlStore, name: str, client: int, now: int) -> Challenge:
    """The first answer to whoever says that they are this member; to a stranger, one that leads nowhere."""
    found = _find_account(control, name)
    server = Server(int(found.verifier, 16))
    number = new_secret()
    with control.transaction() as tx:
        tx.execute("DELETE FROM member_challenges WHERE until < ?", now)
        if tx.all("SELECT COUNT(*) FROM member_challenges")[0][0] >= MOST_CHALLENGES:
            oldest = "SELECT id FROM member_challenges ORDER BY until, id LIMIT 1"
            tx.execute(f"DELETE FROM member_challenges WHERE id = ({oldest})")
        tx.execute(
            "INSERT INTO member_challenges (id, name, client, private, until) VALUES (?, ?, ?, ?, ?)",
            *(secret_digest(number), name, f"{client:x}", f"{server.private:x}", now + CHALLENGE_MS),
        )
    return Challenge(number, found.auth_salt, found.srp_salt, server.public)


class _Found(NamedTuple):
    auth_salt: str
    srp_salt: str
    verifier: str
    wrapped: str  # empty if there is no such member


def _find_account(control: ControlStore, name: str) -> _Found:
    """The member's account, or nobody's. Nobody's is always computed, so that the time says nothing."""
    nobody = _nobody(control, name)
    rows = control.all("SELECT auth_salt, srp_salt, verifier, wrapped FROM members WHERE name = ?", name)
    return _Found(*rows[0]) if rows else nobody


def _nobody(control: ControlStore, name: str) -> _Found:
    """Salts and a verifier that are always the same for a name, so that nobody learns which names exist."""
    secret = control.all("SELECT secret FROM member_secret")[0][0].encode()

    def derived(what: str) -> bytes:
        return hmac.digest(secret, f"{what} {name}".encode(), sha256)

    salts = derived("auth")[:SALT_BYTES].hex(), derived("srp")[:SALT_BYTES].hex()
    verifier = pow(GROUP.generator, int.from_bytes(derived("verifier"), "big"), GROUP.prime)
    return _Found(*salts, f"{verifier:x}", "")


def finish_sign_in(control: ControlStore, number: str, proof: bytes, now: int) -> Session:
    """The second answer, to a right proof. A challenge serves once, right or wrong. NotAllowed otherwise."""
    digest = secret_digest(number)
    with control.transaction() as tx:
        found = tx.all("SELECT name, client, private, until FROM member_challenges WHERE id = ?", digest)
        tx.execute("DELETE FROM member_challenges WHERE id = ?", digest)
    if not found or found[0][3] < now:
        raise NotAllowed("this sign-in is over; begin again")
    name, client, private, _ = found[0]
    account = _find_account(control, name)
    server = Server(int(account.verifier, 16), private=int(private, 16))
    salt, proof = bytes.fromhex(account.srp_salt), proof if account.wrapped else b""
    try:
        answer = server.answer(name, salt, int(client, 16), proof)
    except SrpError:
        with control.transaction() as tx:
            record_failure(
                tx, now, name if account.wrapped else "somebody unknown", "failed to sign in as a member"
            )
        raise NotAllowed("the name or the passphrase is wrong") from None
    token = PREFIX + new_secret()
    with control.transaction() as tx:
        tx.execute("DELETE FROM member_sessions WHERE until < ?", now)
        session = "INSERT INTO member_sessions (token, name, until) VALUES (?, ?, ?)"
        tx.execute(session, secret_digest(token), name, now + SESSION_MS)
    return Session(name, account.verifier, answer, token, account.wrapped)


def session_name(control: ControlStore, token: str, now: int) -> str | None:
    """Whose session a token is; None if of nobody."""
    sql = "SELECT name FROM member_sessions WHERE token = ? AND until >= ?"
    rows = control.all(sql, secret_digest(token), now)
    return rows[0][0] if rows else None


def stored_verifier(control: ControlStore, name: str) -> str:
    """The member's verifier; empty if there is no such member."""
    rows = control.all("SELECT verifier FROM members WHERE name = ?", name)
    return rows[0][0] if rows else ""


def is_member(control: ControlStore, name: str) -> bool:
    """Whether a member has said yes to them."""
    return bool(control.all("SELECT 1 FROM members WHERE name = ? AND state = 'member'", name))


def list_members(control: ControlStore) -> list[KnownMember]:
    """Every member, and who waits for a member's yes, by name."""
    return [
        KnownMember(*row) for row in control.all("SELECT name, state, created FROM members ORDER BY name")
    ]


def read_state(control: ControlStore, name: str) -> dict[str, Any]:
    """Who there is, the roster, the support keys, and this member's links."""
    accounts = control.all("SELECT name, public, state FROM members ORDER BY name")
    roster = control.all("SELECT revision, current, text, code FROM member_roster")
    links = control.all("SELECT key, link FROM member_links WHERE name = ? ORDER BY key", name)
    return {
        "accounts": [{"name": one, "public": public, "state": state} for one, public, state in accounts],
        "roster": dict(zip(("revision", "current", "text", "code"), roster[0], strict=True))
        if roster
        else None,
        "links": dict(links),
    }


@with_retries
def change_members(control: ControlStore, name: str, change: Change, now: int) -> None:
    """Write a new roster with its links, by a member, or by the first one of all.

    NotAllowed for others; AdminError if somebody else was faster.
    """
    with control.transaction() as tx:
        tx.wait_for_turn(_TURN)  # else two could read the same revision
        revision = _allowed_revision(tx, name)
        if change.revision != revision:
            raise AdminError("another member has changed something meanwhile; run the verb again")
        for removed in change.removed:
            tx.execute("DELETE FROM member_links WHERE name = ?", removed)
            tx.execute("DELETE FROM member_sessions WHERE name = ?", removed)
            tx.execute("DELETE FROM members WHERE name = ?", removed)
        for key, links in change.links.items():
            for one, link in links.items():
                tx.execute("DELETE FROM member_links WHERE key = ? AND name = ?", key, one)
                tx.execute("INSERT INTO member_links (key, name, link) VALUES (?, ?, ?)", key, one, link)
        for one in change.names:
            tx.execute("UPDATE members SET state = 'member' WHERE name = ?", one)
        tx.execute("DELETE FROM member_roster")
        sql = "INSERT INTO member_roster (revision, current, text, code) VALUES (?, ?, ?, ?)"
        tx.execute(sql, revision + 1, change.current, change.text, change.code)
        record(tx, now, name, "changed the members of support", change.current)


def _allowed_revision(tx: Transaction, name: str) -> int:
    """The roster's revision, for one who may change it."""
    roster = tx.all("SELECT revision FROM member_roster")
    states = tx.all("SELECT state FROM members WHERE name = ?", name)
    if not states or (roster and states[0][0] != "member"):
        raise NotAllowed("only a member may change who is a member")
    return int(roster[0][0]) if roster else 0


@with_retries
def reset_members(control: ControlStore, now: int, *, by: str) -> None:
    """Delete all members and links. Bundles that are there can then be opened by a recovery code alone."""
    with control.transaction() as tx:
        for table in ("member_links", "member_sessions", "member_challenges", "member_roster", "members"):
            tx.execute(f"DELETE FROM {table}")
        record(tx, now, by, "removed all members of support")

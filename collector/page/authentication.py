"""Who may look.

While no user exists the page is open to this machine alone, and says so. Otherwise one signs in: a
cookie bears 256 random bits, and the database keeps their digest, so that signing out, removing a
user or time ends a session for every process at once, and a stolen database signs nobody in. Every
form bears a token made from the cookie, so that no other site can send it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from collector.admin import users
from collector.base.limits import TokenBuckets
from collector.page.queries import sessions
from collector.page.request import PageError, PageRequest
from collector.store import Store, StoreUnavailable

COOKIE = "rollcall"
SECURE_COOKIE = "__Host-rollcall"
LONGEST_MS = 7 * 86_400_000
IDLE_MS = 12 * 3_600_000
TOUCH_MS = 5 * 60_000
# So many tries in a row, then one in so many seconds.
TRIES = 5.0
SECONDS_A_TRY = 30.0
# A password check takes 16 MiB and a core: this many at a time.
CHECKS_AT_ONCE = 2

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True)
class Visitor:
    """Somebody who may look; `secret` is the cookie that forms are tied to."""

    name: str
    role: str
    open: bool = False
    secret: str = field(default="", repr=False)

    @property
    def may_help(self) -> bool:
        """Whether support data is theirs to see."""
        return self.role == "support"

    @property
    def form_token(self) -> str:
        return form_token(self.secret)


class Authenticator:
    """Decides about every request; owns the limits on signing in."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._tries: TokenBuckets[str] = TokenBuckets(1 / SECONDS_A_TRY, clock)
        self._tries.capacity = TRIES
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._nobody = ""  # the password of users that do not exist

    def visitor(self, request: PageRequest, now: int) -> Visitor | None:
        """Who is asking; None where they have to sign in; PageError where nobody can."""
        secret = cookie_of(request)
        if not sessions.has_users(self._store):
            if _is_local(request):
                return Visitor("this machine", "support", open=True, secret=secret)
            raise PageError(
                403,
                "This page is closed: no user exists yet. On the server, make one: "
                "rollcall-collector users add NAME --role support",
            )
        found = sessions.find_session(self._store, secret_digest(secret)) if secret else None
        if found is None:
            return None
        name, role, began, used = found
        if now - began > LONGEST_MS or now - used > IDLE_MS:
            sessions.end_session(self._store, secret_digest(secret))
            return None
        if now - used > TOUCH_MS:
            with contextlib.suppress(StoreUnavailable):  # remembered later; to look, nothing need be written
                sessions.touch_session(self._store, secret_digest(secret), now)
        return Visitor(name, role, secret=secret)

    async def sign_in(self, request: PageRequest, now: int) -> str | None:
        """A new session's secret, or None where name and password do not match; 429 after too many tries."""
        wait = self._tries.wait(request.peer)
        if wait > 0:
            raise PageError(429, f"Too many tries. Come again in {int(wait) + 1} seconds.", int(wait) + 1)
        self._tries.pay(request.peer, 1)  # before the check, for tries side by side are tries too
        name, password = request.form.get("name", ""), request.form.get("password", "")
        async with self._checks:
            secret = await asyncio.to_thread(self._begin, name, password, cookie_of(request), now)
        if secret is not None:
            self._tries.pay(request.peer, -1)
        return secret

    def sign_out(self, request: PageRequest) -> None:
        """End the session of this request's cookie, if it has one."""
        if secret := cookie_of(request):
            sessions.end_session(self._store, secret_digest(secret))

    def _begin(self, name: str, password: str, before: str, now: int) -> str | None:
        self._nobody = self._nobody or users.hash_password(secrets.token_hex(16))
        kept = sessions.password_of(self._store, name)
        if not users.password_is(password, kept or self._nobody) or kept is None:
            return None
        if before:
            sessions.end_session(self._store, secret_digest(before))
        secret = new_secret()
        sessions.begin_session(self._store, secret_digest(secret), name, now, now - LONGEST_MS)
        return secret


def _is_local(request: PageRequest) -> bool:
    """Whether a request comes from this machine, by its own name, past no proxy."""
    try:
        loopback = ipaddress.ip_address(request.address).is_loopback
    except ValueError:
        return False
    hosts = request.all_headers("host")
    return loopback and request.direct and len(hosts) == 1 and _host_name(hosts[0]) in LOOPBACK_NAMES


def check_form(request: PageRequest) -> None:
    """PageError unless the form was made by this page for this browser."""
    secret, token = cookie_of(request), request.form.get("token", "")
    right = hmac.compare_digest(token.encode(), form_token(secret).encode())
    origin, site = request.header("origin"), request.header("sec-fetch-site")
    elsewhere = bool(origin) and origin.partition("://")[2] != request.header("host")
    if not secret or not right or elsewhere or site not in ("", "same-origin"):
        raise PageError(
            403, "That form was not made for you, or is too old. Go back, load the page again, and retry."
        )


def form_token(secret: str) -> str:
    """What a form bears: tells nothing of the cookie, and cannot be made without it."""
    return hmac.new(secret.encode(), b"rollcall form", sha256).hexdigest()


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def secret_digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return sha256(secret.encode()).digest()


def cookie_of(request: PageRequest) -> str:
    """The secret in the cookie, or empty."""
    return request.cookies.get(SECURE_COOKIE if request.secure else COOKIE, "")


def cookie_header(request: PageRequest, secret: str) -> tuple[bytes, bytes]:
    """The header that sets the cookie; an empty secret removes it."""
    name = SECURE_COOKIE if request.secure else COOKIE
    life = LONGEST_MS // 1000 if secret else 0
    text = f"{name}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={life}"
    return b"set-cookie", (text + ("; Secure" if request.secure else "")).encode()


def _host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()

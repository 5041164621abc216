"""Who may see the page.

While no user exists, the page is open to this machine only, and says so. Otherwise users sign in. The
cookie is a random secret and the database stores its digest: so a session ends for every process at
once, and nobody can sign in with a stolen database. Every form has a token made from the cookie, so
that another site cannot send the form.
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
# This many attempts in a row, then one every SECONDS_A_TRY.
TRIES = 5.0
SECONDS_A_TRY = 30.0
# A password check takes 16 MiB of memory and one core, so only this many run at once.
CHECKS_AT_ONCE = 2

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True)
class Visitor:
    """Somebody who may see the page; `secret` is the cookie, from which form tokens are made."""

    name: str
    role: str
    open: bool = False
    secret: str = field(default="", repr=False)

    @property
    def may_help(self) -> bool:
        """Whether they may see requests for help."""
        return self.role == "support"

    @property
    def form_token(self) -> str:
        return form_token(self.secret)


class Authenticator:
    """Checks who sends a request; limits attempts to sign in."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._tries: TokenBuckets[str] = TokenBuckets(1 / SECONDS_A_TRY, clock)
        self._tries.capacity = TRIES
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._nobody = ""  # stands in for the password of users that do not exist

    def visitor(self, request: PageRequest, now: int) -> Visitor | None:
        """Who sends this request; None if they must sign in; PageError if nobody can yet."""
        secret = cookie_of(request)
        if not sessions.has_users(self._store):
            if _is_local(request):
                return Visitor("this machine", "support", open=True, secret=secret)
            raise PageError(
                403,
                "This page is closed because no user exists yet. To add one, run on the server: "
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
            with contextlib.suppress(StoreUnavailable):  # saved next time; reading must work without writing
                sessions.touch_session(self._store, secret_digest(secret), now)
        return Visitor(name, role, secret=secret)

    async def sign_in(self, request: PageRequest, now: int) -> str | None:
        """A new session's secret, or None if name or password is wrong; 429 after too many attempts."""
        wait = self._tries.wait(request.peer)
        if wait > 0:
            raise PageError(429, f"Too many attempts. Try again in {int(wait) + 1} seconds.", int(wait) + 1)
        self._tries.pay(request.peer, 1)  # before the check, because parallel attempts count too
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
    """Whether a request comes from this machine, for a local host name, without a proxy."""
    try:
        loopback = ipaddress.ip_address(request.address).is_loopback
    except ValueError:
        return False
    hosts = request.all_headers("host")
    return loopback and request.direct and len(hosts) == 1 and _host_name(hosts[0]) in LOOPBACK_NAMES


def check_form(request: PageRequest) -> None:
    """PageError unless this page made the form for this browser."""
    secret, token = cookie_of(request), request.form.get("token", "")
    right = hmac.compare_digest(token.encode(), form_token(secret).encode())
    origin, site = request.header("origin"), request.header("sec-fetch-site")
    elsewhere = bool(origin) and origin.partition("://")[2] != request.header("host")
    if not secret or not right or elsewhere or site not in ("", "same-origin"):
        raise PageError(
            403, "This form is not valid, or it is too old. Go back, reload the page and try again."
        )


def form_token(secret: str) -> str:
    """The token in a form: made from the cookie, which cannot be computed from it."""
    return hmac.new(secret.encode(), b"rollcall form", sha256).hexdigest()


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def secret_digest(secret: str) -> bytes:
    """The digest that is stored for a secret."""
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

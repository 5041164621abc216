"""Signing in with a name and a password, and how often somebody may try."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from collector.admin import users
from collector.base.limits import TokenBuckets
from collector.base.secrets import new_secret, secret_digest
from collector.page.access.cookies import SESSION
from collector.page.access.limits import CHECKS_AT_ONCE, LONGEST_MS, SECONDS_A_TRY, TRIES
from collector.page.queries import sessions
from collector.page.request import PageError, PageRequest
from collector.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class SignIn:
    """Checks names and passwords, and begins and ends sessions."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._tries: TokenBuckets[str] = TokenBuckets(1 / SECONDS_A_TRY, clock)
        self._tries.capacity = TRIES
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._nobody = ""  # stands in for the password of users that do not exist

    async def sign_in(self, request: PageRequest, now: int) -> str | None:
        """A new session's secret, or None if name or password is wrong; 429 after too many attempts."""
        wait = self._tries.wait(request.peer)
        if wait > 0:
            raise PageError(429, f"Too many attempts. Try again in {int(wait) + 1} seconds.", int(wait) + 1)
        self._tries.pay(request.peer, 1)  # before the check, because parallel attempts count too
        name, password = request.form.get("name", ""), request.form.get("password", "")
        if not await self.hashing(self._is_right, name, password):
            return None
        self._tries.pay(request.peer, -1)
        return await asyncio.to_thread(self.begin, request, name, now)

    async def hashing(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run what hashes a password in a thread; only a few at once, because each takes memory."""
        async with self._checks:
            return await asyncio.to_thread(work, *arguments, **named)

    def begin(self, request: PageRequest, name: str, now: int) -> str:
        """The secret of a new session of a user; the browser's previous session ends."""
        self.sign_out(request)
        secret = new_secret()
        sessions.begin_session(self._store, secret_digest(secret), name, now, now - LONGEST_MS)
        return secret

    def sign_out(self, request: PageRequest) -> None:
        """End the session of this request's cookie, if it has one."""
        if secret := SESSION.read(request):
            sessions.end_session(self._store, secret_digest(secret))

    def _is_right(self, name: str, password: str) -> bool:
        self._nobody = self._nobody or users.hash_password(secrets.token_hex(16))
        kept = sessions.password_of(self._store, name)
        return users.password_is(password, kept or self._nobody) and kept is not None

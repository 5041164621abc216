"""Signing in with a name and a password."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

from collector.admin import users
from collector.admin.audit import record_failure
from collector.base.secrets import new_secret, secret_digest
from collector.page.access.checks import PasswordChecks
from collector.page.access.cookies import KNOWN, SESSION
from collector.page.access.known import known_browser, new_mark
from collector.page.access.limits import LONGEST_MS, Attempt, AttemptLimits
from collector.page.queries import sessions
from collector.page.request import PageError, PageRequest
from collector.store import ControlStore, StoreUnavailable

UNKNOWN_NAME = "an unknown name"

Header = tuple[bytes, bytes]


class SignIn:
    """Checks names and passwords, and begins and ends sessions."""

    def __init__(self, control: ControlStore, clock: Callable[[], float]) -> None:
        self._control = control
        self._limits = AttemptLimits(clock)
        self.checks = PasswordChecks()
        self._nobody = ""  # stands in for the password of users that do not exist

    async def is_right(self, request: PageRequest, name: str, password: str, now: int) -> bool:
        """Whether this is the user's password. PageError 429 after too many attempts."""
        kept = await asyncio.to_thread(sessions.password_of, self._control, name)
        browser = known_browser(KNOWN.read(request), kept)
        attempt = Attempt(request.peer, name, browser)
        wait = self._limits.take(attempt)  # before the check, because parallel attempts count too
        if wait > 0:
            raise PageError(429, f"Too many attempts. Try again in {int(wait) + 1} seconds.", int(wait) + 1)
        right = await self.checks.run(lambda: self._check(name, password, kept, now), known=bool(browser))
        if right:
            self._limits.give_back(attempt)
        return right

    async def begin(self, request: PageRequest, name: str, now: int) -> tuple[Header, Header]:
        """The cookies of a new session of a user; the browser's previous session ends."""
        return await asyncio.to_thread(self._begin, request, name, now)

    def sign_out(self, request: PageRequest) -> None:
        """End the session of this request's cookie, if it has one."""
        if secret := SESSION.read(request):
            sessions.end_session(self._control, secret_digest(secret))

    def _begin(self, request: PageRequest, name: str, now: int) -> tuple[Header, Header]:
        self.sign_out(request)
        secret = new_secret()
        sessions.begin_session(self._control, secret_digest(secret), name, now, now - LONGEST_MS)
        mark = new_mark(sessions.password_of(self._control, name))
        return SESSION.write(request, secret), KNOWN.write(request, mark)

    def _check(self, name: str, password: str, kept: str, now: int) -> bool:
        self._nobody = self._nobody or users.hash_password(secrets.token_hex(16))
        right = users.password_is(password, kept or self._nobody) and bool(kept)
        if not right:
            with contextlib.suppress(StoreUnavailable), self._control.transaction() as tx:
                record_failure(tx, now, name if kept else UNKNOWN_NAME, "failed to sign in")
        elif users.is_outdated(kept):
            users.renew_hash(self._control, name, password, kept)
        return right

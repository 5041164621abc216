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

    async def right_hash(self, request: PageRequest, name: str, password: str, now: int) -> str:
        """The user's stored hash, if this is their password; otherwise empty.

        PageError 429 after too many attempts.
        """
        kept = await asyncio.to_thread(sessions.password_of, self._control, name)
        browser = known_browser(KNOWN.read(request), kept)
        attempt = Attempt(request.peer, name, browser)
        wait = self._limits.take(attempt)  # before the check, because parallel attempts count too
        if wait > 0:
            raise PageError(429, f"Too many attempts. Try again in {int(wait) + 1} seconds.", int(wait) + 1)
        right = await self.checks.run(lambda: self._checked(name, password, kept, now), known=bool(browser))
        if right:
            self._limits.give_back(attempt)
        return right

    async def begin(
        self, request: PageRequest, name: str, now: int, checked: str = ""
    ) -> tuple[Header, Header]:
        """The cookies of a new session of a user; the browser's previous session ends.

        PageError if the stored hash that was `checked` is not theirs any more.
        """
        return await asyncio.to_thread(self._begin, request, name, now, checked)

    def sign_out(self, request: PageRequest) -> None:
        """End the session of this request's cookie, if it has one."""
        if secret := SESSION.read(request):
            sessions.end_session(self._control, secret_digest(secret))

    def _begin(self, request: PageRequest, name: str, now: int, checked: str) -> tuple[Header, Header]:
        self.sign_out(request)
        secret, kept = new_secret(), checked or sessions.password_of(self._control, name)
        if not sessions.begin_session(
            self._control, secret_digest(secret), name, kept, now, now - LONGEST_MS
        ):
            raise PageError(403, "The password was changed while you signed in. Sign in again.")
        return SESSION.write(request, secret), KNOWN.write(request, new_mark(kept))

    def _checked(self, name: str, password: str, kept: str, now: int) -> str:
        """The hash if it is the password's, at today's cost; otherwise empty."""
        self._nobody = self._nobody or users.hash_password(secrets.token_hex(16))
        right = users.password_is(password, kept or self._nobody) and bool(kept)
        if not right:
            with contextlib.suppress(StoreUnavailable), self._control.transaction() as tx:
                record_failure(tx, now, name if kept else UNKNOWN_NAME, "failed to sign in")
            return ""
        return users.renew_hash(self._control, name, password, kept) if users.is_outdated(kept) else kept

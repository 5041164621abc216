"""Who sends a request.

A session's cookie is a random secret and the database stores its digest: so a session ends for every
process at once, and nobody can sign in with a stolen database. While no user exists, only a session
that began with the setup link opens the page.
"""

from __future__ import annotations

import contextlib

from collector.admin import setup
from collector.admin.member_records import is_member, session_name
from collector.admin.tokens import TokenAccess, token_access
from collector.base.secrets import new_secret, secret_digest
from collector.page.access.authorization import api_token
from collector.page.access.cookies import SESSION
from collector.page.access.limits import IDLE_MS, LONGEST_MS, TOUCH_MS
from collector.page.access.visitor import Visitor
from collector.page.queries import sessions
from collector.page.request import PageError, PageRequest
from collector.store import ControlStore, StoreUnavailable


class Authenticator:
    """Finds out who sends a request."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def visitor(self, request: PageRequest, now: int) -> Visitor | None:
        """Who sends this request; None if nobody that the page knows. PageError if a token is wrong."""
        if token := api_token(request):
            return self._by_token(request, token, now)
        secret = SESSION.read(request)
        if request.proxy_user and (visitor := self._by_proxy(request.proxy_user, secret)):
            return visitor
        if not secret:
            return None
        return self._by_session(secret, now) or self._by_setup(secret, now)

    def _by_token(self, request: PageRequest, token: str, now: int) -> Visitor:
        """A program. Pages and forms are for browsers, so it needs no form tokens."""
        found = token_access(self._control, token) or self._member(token, now)
        if found is None:
            raise PageError(401, "This token is unknown, or it was revoked.")
        if not request.suffix:
            raise PageError(401, "A token reads addresses that end in .json or .csv.")
        return Visitor(found.name, found.role, "token", found.source)

    def _member(self, token: str, now: int) -> TokenAccess | None:
        """A member who has signed in to open support bundles."""
        name = session_name(self._control, token, now)
        return TokenAccess(name, "support", None) if name and is_member(self._control, name) else None

    def _by_proxy(self, name: str, secret: str) -> Visitor | None:
        """A user whom a trusted proxy has signed in. The cookie serves their forms alone."""
        found = sessions.find_user(self._control, name)
        return Visitor(name, found[0], "proxy", found[1], secret or new_secret()) if found else None

    def _by_session(self, secret: str, now: int) -> Visitor | None:
        token = secret_digest(secret)
        found = sessions.find_session(self._control, token)
        if found is None:
            return None
        if now - found.began > LONGEST_MS or now - found.used > IDLE_MS:
            sessions.end_session(self._control, token)
            return None
        if now - found.used > TOUCH_MS:
            with contextlib.suppress(StoreUnavailable):  # saved next time; reading must work without writing
                sessions.touch_session(self._control, token, now)
        return Visitor(found.name, found.role, "session", found.source, secret)

    def _by_setup(self, secret: str, now: int) -> Visitor | None:
        if not setup.has_session(self._control, secret, now):
            return None
        return Visitor(setup.LINK, "admin", "setup", secret=secret)

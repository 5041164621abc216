"""The page's cookies, and the form tokens that are made from them.

A cookie is a random secret. Every form has a token made from the session's cookie, so that another
site cannot send the form.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from collector.admin import setup
from collector.page.access.limits import KNOWN_SECONDS, LONGEST_MS
from collector.page.request import PageError, PageRequest


@dataclass(frozen=True)
class Cookie:
    """A cookie of the page; under TLS it has a prefix that no other host can write."""

    name: str
    seconds: int
    same_site: str = "Strict"

    def read(self, request: PageRequest) -> str:
        """Its value, or empty."""
        return request.cookies.get(self._full_name(request), "")

    def write(self, request: PageRequest, value: str) -> tuple[bytes, bytes]:
        """The header that sets it; an empty value removes it."""
        life = self.seconds if value else 0
        text = f"{self._full_name(request)}={value}; Path=/; HttpOnly; SameSite={self.same_site}"
        return b"set-cookie", f"{text}; Max-Age={life}{'; Secure' if request.secure else ''}".encode()

    def _full_name(self, request: PageRequest) -> str:
        return f"__Host-{self.name}" if request.secure else self.name


SESSION = Cookie("rollcall", LONGEST_MS // 1000)
# Lax, because a link in a mail or a chat leads here from another site.
SETUP = Cookie("rollcall-setup", setup.LINK_MS // 1000, "Lax")
# Of a browser in which a user has signed in before.
KNOWN = Cookie("rollcall-known", KNOWN_SECONDS)


def form_token(secret: str) -> str:
    """The token in a form: made from the cookie, which cannot be computed from it."""
    return hmac.new(secret.encode(), b"rollcall form", sha256).hexdigest()


def check_form(request: PageRequest) -> None:
    """PageError unless this page made the form for this browser."""
    secret, token = SESSION.read(request), request.form.get("token", "")
    right = hmac.compare_digest(token.encode(), form_token(secret).encode())
    origin, site = request.header("origin"), request.header("sec-fetch-site")
    elsewhere = bool(origin) and origin.partition("://")[2] != request.header("host")
    if not secret or not right or elsewhere or site not in ("", "same-origin"):
        raise PageError(
            403, "This form is not valid, or it is too old. Go back, reload the page and try again."
        )

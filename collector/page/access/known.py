"""Browsers in which a user has signed in before.

Their cookie is a number and its code. The code is made with the user's stored password hash, so it is
for this user only, needs no table, and is worth nothing once the password is another one.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from collector.base.secrets import new_secret


def new_mark(kept: str) -> str:
    """A cookie for a browser in which the user with this password hash has just signed in."""
    number = new_secret()
    return f"{number}.{_code(number, kept)}"


def known_browser(mark: str, kept: str) -> str:
    """The browser's number; empty if this user has not signed in there, or has another password now."""
    number, _, code = mark.partition(".")
    right = bool(kept) and hmac.compare_digest(code.encode(), _code(number, kept).encode())
    return number if right else ""


def _code(number: str, kept: str) -> str:
    return hmac.new(kept.encode(), f"known browser {number}".encode(), sha256).hexdigest()

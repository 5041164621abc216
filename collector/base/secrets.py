"""Random secrets, of which only a digest is stored.

A secret is 256 random bits, so a plain digest of it cannot be guessed back.
"""

from __future__ import annotations

import re
import secrets
from hashlib import sha256

BYTES = 32
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    return secrets.token_urlsafe(BYTES)


def is_secret(text: str) -> bool:
    """Whether a text has the form of a secret."""
    return _SECRET.fullmatch(text) is not None


def secret_digest(secret: str) -> bytes:
    """The digest that is stored for a secret."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()

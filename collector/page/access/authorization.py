"""The API token in an Authorization header."""

from __future__ import annotations

import base64
import binascii

from collector.admin.tokens import PREFIX
from collector.page.request import PageRequest


def api_token(request: PageRequest) -> str:
    """The token after Bearer, or the user or password of Basic; empty if there is none.

    Other credentials are not for the page: a proxy that signs people in may send its own along.
    """
    scheme, _, value = request.header("authorization").partition(" ")
    given = {"bearer": [value.strip()], "basic": _basic(value.strip())}.get(scheme.lower(), [])
    return next((text for text in given if text.startswith(PREFIX)), "")


def _basic(value: str) -> list[str]:
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return []
    return [user, password]

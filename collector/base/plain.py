"""Texts that a client chose, and that may stand where strangers read them, or in a message."""

from __future__ import annotations

import re

# No address, no link, and nothing as long as a write key.
_PLAIN = re.compile(r"[A-Za-z0-9_.+~-]{1,31}(?: [A-Za-z0-9_.+~-]{1,31})?")


def is_plain(text: str) -> bool:
    """Whether a text looks like a version, a system or a file, and is harmless."""
    return _PLAIN.fullmatch(text) is not None


def plain(text: str, otherwise: str) -> str:
    """The text if it is harmless; otherwise another one."""
    return text if is_plain(text) else otherwise

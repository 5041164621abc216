"""Text on its way to a terminal. What others wrote (a path, a name) must not steer it.

Part of the boot path of `wrap`: imports stay few and cheap.
"""

from __future__ import annotations


def plain(text: str) -> str:
    """The text with everything that is not printable escaped, so that it is one harmless line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

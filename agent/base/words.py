"""Words for a person. What others wrote (a path, a name) must not steer the terminal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


def say(text: str, to: TextIO) -> None:
    """One line, beside the data. One that cannot be said stops nothing."""
    with contextlib.suppress(OSError):
        print(f"rollcall: {plain(text)}", file=to)


def plain(text: str) -> str:
    """The text with everything that is not printable escaped, so that it is one harmless line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

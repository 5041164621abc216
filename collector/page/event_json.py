"""The JSON of an event for a reader: all of it, without e-mail addresses if the reader may not see them."""

from __future__ import annotations

from typing import Any

import msgspec

# A deeply nested event of 32 KiB would be 3 MiB if indented.
LONGEST = 32 * 1024

HIDDEN = "(hidden; users with the role support can see it)"


def indented_json(body: str, *, reveal: bool) -> str:
    """Indented, for people; on one line if the indented text is too long."""
    text = compact_json(body, reveal=reveal)
    indented = msgspec.json.format(text, indent=2)
    return indented if len(indented) <= LONGEST else text


def compact_json(body: str, *, reveal: bool) -> str:
    """On one line, for programs."""
    if reveal or "email" not in _plain(body):
        return body
    parsed = msgspec.json.decode(body)
    _hide(parsed)
    return msgspec.json.encode(parsed).decode()


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _hide(root: Any) -> None:
    """Replace every value whose name contains "email", at any depth, without recursion."""
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            for name, value in one.items():
                if "email" in _plain(name):
                    one[name] = HIDDEN
                elif isinstance(value, dict | list):
                    waiting.append(value)
        else:
            waiting.extend(item for item in one if isinstance(item, dict | list))

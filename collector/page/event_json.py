"""The JSON of an event for a reader: all of it, without e-mail addresses if the reader may not see them."""

from __future__ import annotations

import json
from typing import Any

# A deeply nested event of 32 KiB would be 3 MiB if indented.
LONGEST = 32 * 1024
_INDENTED = json.JSONEncoder(indent=2, ensure_ascii=False)

HIDDEN = "(hidden; users with the role support can see it)"


def indented_json(body: str, *, reveal: bool) -> str:
    """Indented, for people; on one line if the indented text is too long."""
    parts: list[str] = []
    length = 0
    for part in _INDENTED.iterencode(_readable(body, reveal=reveal)):
        parts.append(part)
        length += len(part)
        if length > LONGEST:
            return compact_json(body, reveal=reveal)
    return "".join(parts)


def compact_json(body: str, *, reveal: bool) -> str:
    """On one line, for programs."""
    if reveal:
        return body
    return json.dumps(_readable(body, reveal=False), ensure_ascii=False, separators=(",", ":"))


def _readable(body: str, *, reveal: bool) -> Any:
    parsed = json.loads(body)
    if not reveal:
        _hide(parsed)
    return parsed


def _hide(root: Any) -> None:
    """Replace every value whose name contains "email", at any depth, without recursion."""
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            for name, value in one.items():
                if "email" in name.lower().replace("-", "").replace("_", ""):
                    one[name] = HIDDEN
                else:
                    waiting.append(value)
        elif isinstance(one, list):
            waiting.extend(one)

"""An event's JSON as it is shown: whole, but for e-mail addresses where the reader may not see them."""

from __future__ import annotations

import json
from typing import Any

# Indented, 32 KiB that nest deeply are 3 MiB.
LONGEST = 32 * 1024
_INDENTED = json.JSONEncoder(indent=2, ensure_ascii=False)

HIDDEN = "(hidden; the role support may see it)"


def indented_json(body: str, *, reveal: bool) -> str:
    """Indented, for people; on one line where indents would make it too long."""
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
    return (
        body
        if reveal
        else json.dumps(_readable(body, reveal=False), ensure_ascii=False, separators=(",", ":"))
    )


def _readable(body: str, *, reveal: bool) -> Any:
    parsed = json.loads(body)
    if not reveal:
        _hide(parsed)
    return parsed


def _hide(root: Any) -> None:
    """Replace every value under a name that speaks of e-mail, at any depth, without recursion."""
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

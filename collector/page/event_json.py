"""The JSON of an event for a reader: all of it, without addresses if the reader may not see them."""

from __future__ import annotations

from typing import Any

import msgspec

from collector.base.personal import mask_addresses, with_masked_names

# A deeply nested event of 32 KiB would be 3 MiB if indented.
LONGEST = 32 * 1024

HIDDEN = "(hidden; users with the role support can see it)"


class JsonText(str):
    """JSON that this reader may see. To mask it once more, as one text, could break it."""

    __slots__ = ()


def indented_json(body: str, *, reveal: bool) -> JsonText:
    """Indented, for people; on one line if the indented text is too long."""
    text = readable_json(body, reveal=reveal)
    indented = msgspec.json.format(text, indent=2)
    return JsonText(indented if len(indented) <= LONGEST else text)


def compact_json(body: str, *, reveal: bool) -> JsonText:
    """On one line, for programs."""
    return JsonText(readable_json(body, reveal=reveal))


def readable_json(body: str, *, reveal: bool) -> str:
    """The same, to be read here."""
    if reveal:
        return body
    parsed = msgspec.json.decode(body)
    _hide(parsed)
    return msgspec.json.encode(parsed).decode()


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _hide(root: Any) -> None:
    """Hide values whose name contains "email", and mask all other texts, at any depth, without recursion."""
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            shown = {
                name: HIDDEN if "email" in _plain(name) else _shown(value, waiting)
                for name, value in one.items()
            }
            one.clear()
            one.update(with_masked_names(shown))
        else:
            one[:] = [_shown(item, waiting) for item in one]


def _shown(value: Any, waiting: list[Any]) -> Any:
    """A text masked; what holds more values is itself, and is yet to be looked at."""
    if isinstance(value, dict | list):
        waiting.append(value)
    return mask_addresses(value) if isinstance(value, str) else value

"""Fields named `ip`: no event keeps one, wherever it stands. `0.0.0.0` says that there is no address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NO_ADDRESS = "0.0.0.0"  # noqa: S104 - what a client sends to say "fill in none"
NAME = "ip"
_FIELD = f'{NAME}":'


def may_have_address(text: str, context: Mapping[str, Any]) -> bool:
    """Whether the compact JSON of an event needs `drop_addresses`. Most do not, so this is quick."""
    return text.lower().count(_FIELD) > (context.get(NAME) == NO_ADDRESS)


def drop_addresses(event: dict[str, Any]) -> None:
    """Drop every field named `ip`, in any case and at any depth, without recursion."""
    waiting: list[Any] = [event]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict):
            for name in [name for name in one if name.lower() == NAME and one[name] != NO_ADDRESS]:
                del one[name]
            waiting.extend(one.values())

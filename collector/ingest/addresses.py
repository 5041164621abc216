"""Fields for an IP address: no event keeps one, wherever it stands. `0.0.0.0` says that there is none."""

from __future__ import annotations

from typing import Any

NO_ADDRESS = "0.0.0.0"  # noqa: S104 - what a client sends to say "fill in none"
_NAMES = frozenset({"ip", "ipaddress"})
_NONE = f'ip":"{NO_ADDRESS}"'


def may_have_address(text: str) -> bool:
    """Whether the compact JSON of an event needs `drop_addresses`. Most do not, so this is quick."""
    lower = text.lower()
    return lower.count('ip":') > lower.count(_NONE) or 'ddress":' in lower


def drop_addresses(event: dict[str, Any]) -> None:
    """Drop every field for an IP address, at any depth, without recursion."""
    waiting: list[Any] = [event]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict):
            for name in [name for name in one if _is_for_address(name) and one[name] != NO_ADDRESS]:
                del one[name]
            waiting.extend(one.values())


def _is_for_address(name: str) -> bool:
    return name.lower().replace("_", "").replace("-", "") in _NAMES

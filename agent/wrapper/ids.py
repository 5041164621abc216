"""Random ids without the price of importing uuid."""

from __future__ import annotations

import os


def uuid4() -> str:
    return _text(int.from_bytes(os.urandom(16), "big"), 4)


def uuid7(now: float) -> str:
    """Time-ordered, as messageIds are."""
    millis = min(max(int(now * 1000), 0), (1 << 48) - 1)
    return _text(millis << 80 | int.from_bytes(os.urandom(10), "big"), 7)


def _text(value: int, version: int) -> str:
    value = value & ~(0xF << 76) | version << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

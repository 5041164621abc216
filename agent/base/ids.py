"""Random ids without the price of importing uuid: part of the boot path of `wrap`."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def uuid4() -> str:
    """A random UUID."""
    return _text(int.from_bytes(os.urandom(16), "big"), 4)


def uuid7(now: float, randomness: Callable[[int], bytes] = os.urandom) -> str:
    """A time-ordered UUID (RFC 9562, version 7), so that a collector's index stays fast."""
    millis = min(max(int(now * 1000), 0), (1 << 48) - 1)
    return _text(millis << 80 | int.from_bytes(randomness(10), "big"), 7)


def _text(value: int, version: int) -> str:
    value = value & ~(0xF << 76) | version << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

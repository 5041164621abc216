"""Times as the collector keeps them: milliseconds since 1970, in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache

DAY_MS = 86_400_000
# In days.
WEEK, MONTH = 7, 30
# A larger number is milliseconds.
LARGEST_SECONDS = 1e11
# A clock that says a year before this one is broken, not early.
EARLIEST = 1_262_304_000_000  # 2010-01-01

# Longer text tells no time, and the cache would hold it.
LONGEST_TEXT = 64
# `2026-11-20T10:00:00.000Z`, which most clients write.
USUAL = 24

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


def read_time(value: object) -> int | None:
    """The instant a client wrote, or None where it wrote nothing that can be read.

    Clients write RFC 3339 in either case, ISO 8601 without a colon in the offset, up to nine
    decimals, no offset at all (meant as UTC), and now and then seconds or milliseconds as a number.
    """
    if isinstance(value, str):
        return _read_text(value) if len(value) <= LONGEST_TEXT else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    milliseconds = value if abs(value) > LARGEST_SECONDS else value * 1000
    return int(milliseconds) if abs(milliseconds) < LARGEST_SECONDS * 1e4 else None


@lru_cache(maxsize=4096)
def write_time(milliseconds: int) -> str:
    """`2026-11-20T10:00:00.000Z`."""
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{_minute(minutes)}{rest // 1000:02d}.{rest % 1000:03d}Z"


def corrected(received: int, sent: int | None, original: int | None) -> int:
    """When an event happened by our clock, whatever the client's clock says.

    Nothing happens after it was received, so a clock that runs ahead cannot write the future.
    """
    if original is None:
        return received
    happened = original if sent is None else received - (sent - original)
    return min(happened, received) if happened >= EARLIEST else received


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    return f"{_EPOCH + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:}"


@lru_cache(maxsize=4096)
def _read_text(text: str) -> int | None:
    try:
        usual = len(text) == USUAL and text[-1] == "Z"
        at = datetime.fromisoformat(text[:-1] + "+00:00" if usual else _plain(text))
        if at.tzinfo is None:
            at = at.replace(tzinfo=timezone.utc)
        return (at - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None


def _plain(text: str) -> str:
    """The spelling that datetime.fromisoformat of Python 3.10 reads as well."""
    text = text.strip().upper().replace(",", ".")
    if text.endswith("Z"):
        text = text[:-1] + "+00:00"
    sign = max(text.rfind("+"), text.rfind("-", 10))
    clock, offset = (text[:sign], text[sign:]) if sign > 0 else (text, "")
    whole, dot, decimals = clock.partition(".")
    digits = offset[1:].replace(":", "")
    if len(digits) in (2, 4):
        offset = f"{offset[0]}{digits[:2]}:{digits[2:] or '00'}"
    return whole + dot + (decimals + "000000")[: 6 if dot else 0] + offset

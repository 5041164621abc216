"""How long things are kept, as people write it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

DEFAULT = "heartbeats=35d events=400d emails=90d bundles=30d"
DURATION = "a duration such as 90d, 6h, 15m or 90s"


@dataclass(frozen=True)
class Keep:
    """Seconds for which things are kept; 0 means for ever."""

    heartbeats: int
    events: int
    emails: int
    bundles: int = 0

    @property
    def forever(self) -> bool:
        """Whether nothing ever expires."""
        return not any((self.heartbeats, self.events, self.emails, self.bundles))


def read_seconds(text: str) -> int:
    """Seconds in `90s`, `15m`, `6h` or `90d`. A number without a unit is refused: it may mean days."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match is None:
        raise ValueError
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]


def read_keep(text: str) -> Keep:
    """`heartbeats=35d emails=0`, where what is missing is as in the default; or one time for everything."""
    if "=" not in text:
        seconds = _seconds_or_zero(text)
        return Keep(seconds, seconds, seconds, seconds)
    found: dict[str, int] = {}
    for word in f"{DEFAULT} {text}".split():
        kind, _, duration = word.partition("=")
        found[kind] = _seconds_or_zero(duration)
    if len(found) > len(fields(Keep)):
        raise ValueError
    return Keep(**found)


def _seconds_or_zero(text: str) -> int:
    return 0 if text == "0" else read_seconds(text)

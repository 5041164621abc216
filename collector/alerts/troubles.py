"""Troubles as values, and the plain words of their messages."""

from __future__ import annotations

from dataclasses import dataclass

# The number of no source: a trouble of the collector itself.
SERVER = 0


@dataclass(frozen=True)
class Trouble:
    """Something is wrong now. The same kind and subject mean the same trouble, until it is over."""

    kind: str
    subject: str
    title: str
    detail: str
    path: str  # of the page that shows it
    urgent: bool = False  # whether its messages are sent in quiet hours too


def span_text(milliseconds: int) -> str:
    """A length of time: `3 days`, `5 hours` or `20 minutes`."""
    for unit, size in (("day", 86_400_000), ("hour", 3_600_000)):
        if milliseconds >= 2 * size:
            return f"{milliseconds // size} {unit}s"
    minutes = max(1, milliseconds // 60_000)
    return f"{minutes} minute{'s' if minutes > 1 else ''}"

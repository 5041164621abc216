"""When an endpoint that failed is tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.outbox.outbox import Trouble

FIRST_BACKOFF = 10.0
LONGEST_BACKOFF = 3600.0
LONGEST_WAIT = 86400.0
"""The longest wait that a receiver can ask for; more must be a mistake."""


def backoff(failures: int, chance: float) -> float:
    """Full jitter: a random part of a span that doubles with every failure, up to an hour."""
    return chance * min(FIRST_BACKOFF * 2.0 ** min(failures, 20), LONGEST_BACKOFF)


def seconds_to_next_try(trouble: Trouble | None, now: float) -> float:
    """0 if it may be tried now. A wait longer than any that is noted means that the clock was set back."""
    wait = trouble.next_try - now if trouble else 0.0
    return wait if 0 < wait <= LONGEST_WAIT else 0.0

"""When an endpoint that failed is tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.outbox.outbox import Trouble

FIRST_BACKOFF = 10.0
LONGEST_BACKOFF = 6 * 3600.0
"""The longest limit. A wait is at least half of it, so a dead endpoint costs at most eight tries a day."""
EAGER_BACKOFF = 90.0
"""The same for the sender of a wrapped install: it is back within two minutes of the network."""
LONGEST_WAIT = 86400.0
"""The longest wait that a receiver can ask for; more must be a mistake."""


def backoff_limit(failures: int, longest: float = LONGEST_BACKOFF) -> float:
    """The longest wait after so many failures: it doubles with each, up to `longest`."""
    return min(FIRST_BACKOFF * 2.0 ** min(failures, 20), longest)


def backoff(limit: float, chance: float) -> float:
    """A random wait between half the limit and the limit, so that instances do not come back together."""
    return limit / 2 * (1 + chance)


def seconds_to_next_try(trouble: Trouble | None, now: float) -> float:
    """0 if it may be tried now. A wait longer than any that is noted means that the clock was set back."""
    wait = trouble.next_try - now if trouble else 0.0
    return wait if 0 < wait <= LONGEST_WAIT else 0.0

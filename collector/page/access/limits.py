"""How long a session lasts, and how often somebody may try a password.

A browser that does not know the user is limited by its address and by the name it tries. A browser in
which the user has signed in before has a limit of its own. So whoever guesses can neither use many
addresses, nor shut the user out of their own browsers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from collector.base.limits import TokenBuckets
from collector.base.secrets import secret_digest

LONGEST_MS = 7 * 86_400_000
IDLE_MS = 12 * 3_600_000
TOUCH_MS = 5 * 60_000
KNOWN_SECONDS = 90 * 86_400
# From one address, or from one known browser: this many attempts in a row, then one every SECONDS_A_TRY.
TRIES = 5.0
SECONDS_A_TRY = 30.0
# For one name, from all unknown browsers together.
NAME_TRIES = 20.0
SECONDS_A_NAME_TRY = 300.0


@dataclass(frozen=True)
class Attempt:
    """Somebody tries a password; `browser` is empty if the user has not signed in there before."""

    peer: str
    name: str
    browser: str


class AttemptLimits:
    """Counts attempts, in memory, for as long as the process runs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._peers = _buckets(TRIES, SECONDS_A_TRY, clock)
        self._browsers = _buckets(TRIES, SECONDS_A_TRY, clock)
        self._names = _buckets(NAME_TRIES, SECONDS_A_NAME_TRY, clock)

    def wait(self, attempt: Attempt) -> float:
        """Seconds until this attempt may be made; 0 means now."""
        return max(buckets.wait(key) for buckets, key in self._concerned(attempt))

    def pay(self, attempt: Attempt, tries: int) -> None:
        """Count an attempt; with -1, take it back, because it was right."""
        for buckets, key in self._concerned(attempt):
            buckets.pay(key, tries)

    def _concerned(self, attempt: Attempt) -> list[tuple[TokenBuckets[bytes], bytes]]:
        if attempt.browser:
            return [(self._browsers, secret_digest(attempt.browser))]
        return [(self._peers, secret_digest(attempt.peer)), (self._names, secret_digest(attempt.name))]


def _buckets(tries: float, seconds: float, clock: Callable[[], float]) -> TokenBuckets[bytes]:
    return TokenBuckets(1 / seconds, tries, clock)

"""How long a session lasts, and how often somebody may try a password.

A browser that does not know the user is limited by its address and by the name it tries. A browser in
which the user has signed in before has a limit of its own. So whoever guesses can neither use many
addresses, nor shut the user out of their own browsers.
"""

from __future__ import annotations

import threading
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

Concerned = list[tuple[TokenBuckets[bytes], bytes]]


@dataclass(frozen=True)
class Attempt:
    """Somebody tries a password; `browser` is empty if the user has not signed in there before."""

    peer: str
    name: str
    browser: str


class AttemptLimits:
    """Counts attempts, in memory, for as long as the process runs. Several threads may call it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._peers = _buckets(TRIES, SECONDS_A_TRY, clock)
        self._browsers = _buckets(TRIES, SECONDS_A_TRY, clock)
        self._names = _buckets(NAME_TRIES, SECONDS_A_NAME_TRY, clock)

    def take(self, attempt: Attempt) -> float:
        """Count an attempt that begins now, and answer 0; else the seconds until it may be made."""
        concerned = self._concerned(attempt)
        with self._lock:
            wait = max(buckets.wait(key) for buckets, key in concerned)
            if not wait:
                _pay(concerned, 1)
        return wait

    def give_back(self, attempt: Attempt) -> None:
        """Count an attempt no more, because it was right."""
        with self._lock:
            _pay(self._concerned(attempt), -1)

    def _concerned(self, attempt: Attempt) -> Concerned:
        if attempt.browser:
            return [(self._browsers, secret_digest(attempt.browser))]
        return [(self._peers, secret_digest(attempt.peer)), (self._names, secret_digest(attempt.name))]


def _pay(concerned: Concerned, tries: int) -> None:
    for buckets, key in concerned:
        buckets.pay(key, tries)


def _buckets(tries: float, seconds: float, clock: Callable[[], float]) -> TokenBuckets[bytes]:
    return TokenBuckets(1 / seconds, tries, clock)

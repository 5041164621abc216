"""How often a store is written to: one that wants few and large inserts is given time to let them gather."""

from __future__ import annotations

import time
from collections.abc import Callable

# Writes that may come at once after a quiet time: who sends little waits for nobody.
BURST = 10


class Pace:
    """At most one write in so many seconds in the long run; 0 means as often as one likes."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._due = float("-inf")  # when the next write may begin

    def left(self) -> float:
        """Seconds until the next write may begin."""
        return max(0.0, self._due - self._clock())

    def note_write(self) -> None:
        """A write begins now, in its time or earlier. One that is early costs those after it nothing more."""
        now = self._clock()
        self._due = min(max(self._due, now - (BURST - 1) * self._seconds), now) + self._seconds

"""Sums that several processes add to, without a lock: each process writes a lane of its own.

A sum has no name, only two places in the lane, which its name leads to. Another name may lead to one of
them too. So what is read is the smaller of the two, and is hardly ever more than the others added. The
processes are forks of the one that made the sums: there a name leads to the same places.
"""

from __future__ import annotations

import mmap
from collections.abc import Hashable

PLACES = 2**16
SIZE = 8  # bytes of a number
HALF_BITS = 32  # of a hash


class SharedSums:
    """Memory for the lanes of so many processes."""

    def __init__(self, processes: int) -> None:
        numbers = memoryview(mmap.mmap(-1, processes * PLACES * SIZE)).cast("d")
        self._lanes = [numbers[at * PLACES : (at + 1) * PLACES] for at in range(processes)]

    def account(self, process: int, name: Hashable) -> Account:
        """One sum, for the process with this number."""
        others = [lane for number, lane in enumerate(self._lanes) if number != process]
        return Account(self._lanes[process], others, name)


class Account:
    """One sum: what this process adds, and what the others have added since it was last asked."""

    __slots__ = ("_others", "_own", "_places", "_seen")

    def __init__(self, own: memoryview[float], others: list[memoryview[float]], name: Hashable) -> None:
        self._own, self._others = own, others
        number = hash(name)
        self._places = {number % PLACES, (number >> HALF_BITS) % PLACES}
        self._seen = self._added()

    def add(self, amount: float) -> None:
        for place in self._places:
            self._own[place] += amount

    def news(self) -> float:
        """What the others added since the last time."""
        before, self._seen = self._seen, self._added()
        return min(now - then for now, then in zip(self._seen, before, strict=True))

    def _added(self) -> list[float]:
        return [sum(lane[place] for lane in self._others) for place in self._places]

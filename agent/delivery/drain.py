"""Sends what waits in the outbox within a time budget. Nothing else retries; the outbox keeps when to."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from agent.delivery.backoff import (
    EAGER_BACKOFF,
    LONGEST_BACKOFF,
    backoff,
    backoff_limit,
    seconds_to_next_try,
)
from agent.delivery.transport import Delivered, Rejected, RetryLater
from agent.outbox.outbox import REJECTED, SENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.delivery.transport import BatchOutcome
    from agent.outbox.outbox import Outbox

MAX_EVENTS = 100
MAX_BATCH_BYTES = 450 * 1024
LEAST_SECONDS = 0.5
"""With less than this left no batch is begun: if it were cut short, the endpoint would get the blame."""

SETTLE_SECONDS = 0.25
"""Batches that were sent are marked so at most this much later: each mark waits for the disk.

If the process is killed meanwhile they are sent again, with the same messageIds.
"""

CHANGED = "docker.env was edited in the meantime"
TOO_SHORT = "there was not enough time"

Row = tuple[int, str]
Manner = Literal["once", "patient", "eager"]


@dataclass(frozen=True)
class DrainResult:
    """`waiting` is why something still waits, None if nothing does; `messages` are for the log."""

    waiting: str | None = None
    messages: list[str] = field(default_factory=list)


class Drain:
    """One pass over the events that wait for an endpoint, oldest first, in batches.

    A patient one tries again while there is time. An eager one tries once even if an earlier failure put off
    the next try, and puts it off for less.
    """

    def __init__(
        self,
        outbox: Outbox,
        endpoint: str,
        send: Callable[[list[str], float], BatchOutcome],
        *,
        budget: float,
        manner: Manner,
        still_allowed: Callable[[], bool],
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._endpoint = endpoint
        self._send = send
        self._patient = manner == "patient"
        self._eager = manner == "eager"
        self._still_allowed = still_allowed
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._chance = chance
        self._end = monotonic() + budget
        self._sent: list[int] = []
        self._last = 0
        self._settle_at = monotonic() + SETTLE_SECONDS
        self._answered = False
        self._rejected: list[str] = []
        self._messages: list[str] = []

    def deliver_waiting(self) -> DrainResult:
        """Deliver until nothing waits, or the budget is spent, or the next try would be after its end."""
        self._outbox.adopt(self._endpoint)
        waiting = None
        try:
            while waiting is None and (batch := self._next_batch()):
                waiting = self._wait() or self._deliver(batch)
        finally:
            self._mark_as_sent()
        if self._rejected:
            self._messages.append(_rejections(self._rejected))
        return DrainResult(waiting, self._messages)

    def _next_batch(self) -> list[Row]:
        rows = self._outbox.waiting(self._endpoint, after=self._last, limit=MAX_EVENTS)
        return _fitting(rows)

    def _wait(self) -> str | None:
        """Sleep until the next try is due; if that is too far off, the reason for the wait."""
        trouble = None if self._eager else self._outbox.trouble(self._endpoint)
        wait = seconds_to_next_try(trouble, self._now())
        if trouble is not None and wait > (self._left() if self._patient else 0):
            return trouble.error
        if wait > 0:
            self._sleep(wait)
        return None

    def _deliver(self, batch: list[Row]) -> str | None:
        """Send a batch, split until a rejected event is alone; the reason if some of it still waits."""
        pending = [batch]
        while pending:
            if not self._still_allowed():
                return CHANGED
            if self._left() < LEAST_SECONDS:
                return TOO_SHORT
            part = pending.pop()
            outcome = self._send([text for _, text in part], self._left())
            if isinstance(outcome, RetryLater):
                return self._failed(outcome)
            if isinstance(outcome, Rejected) and len(part) > 1:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]
            else:
                self._settle(part, outcome)
        return None

    def _settle(self, part: list[Row], outcome: Delivered | Rejected) -> None:
        self._answered = True
        trouble = self._outbox.trouble(self._endpoint)
        if trouble is not None:
            self._outbox.note_success(self._endpoint)
            self._messages.append(
                f"{self._endpoint} answers again; events were waiting since {trouble.since}"
            )
        seqs = [seq for seq, _ in part]
        self._last = seqs[-1]
        whys = (
            dict.fromkeys(range(len(part)), outcome.why)
            if isinstance(outcome, Rejected)
            else outcome.rejected
        )
        if whys:
            self._rejected += whys.values()
            self._outbox.settle([seqs[place] for place in whys], REJECTED)
        self._sent += [seq for place, seq in enumerate(seqs) if place not in whys]
        if self._monotonic() >= self._settle_at:
            self._mark_as_sent()

    def _mark_as_sent(self) -> None:
        if self._sent:
            self._outbox.settle(self._sent, SENT)
        self._sent = []
        self._settle_at = self._monotonic() + SETTLE_SECONDS

    def _failed(self, outcome: RetryLater) -> str | None:
        """Note the failure and the next try; the reason to stop, unless that is within the budget."""
        if self._answered and self._left() <= 0:
            return TOO_SHORT  # it answered a moment ago: our budget ended, the endpoint did not fail
        trouble = self._outbox.trouble(self._endpoint)
        longest = EAGER_BACKOFF if self._eager else LONGEST_BACKOFF
        limit = backoff_limit(trouble.failures if trouble else 0, longest)
        wait = backoff(limit, self._chance()) if outcome.after is None else outcome.after
        self._outbox.note_failure(self._endpoint, outcome.why, self._now() + wait, counts=limit < longest)
        if trouble is None:
            what = "does not accept events" if outcome.answered else "cannot be reached"
            self._messages.append(f"{self._endpoint} {what}: {outcome.why}; events are waiting")
        return None if self._patient and wait <= self._left() else outcome.why

    def _left(self) -> float:
        return self._end - self._monotonic()


def _fitting(rows: list[Row]) -> list[Row]:
    """As many rows as fit into one request, but at least one."""
    ends = accumulate(len(text.encode()) + 1 for _, text in rows)
    return rows[: max(1, sum(end <= MAX_BATCH_BYTES for end in ends))]


def _rejections(whys: list[str]) -> str:
    """One line, however many there were."""
    events = "one event was" if len(whys) == 1 else f"{len(whys)} events were"
    return f"{events} rejected ({', '.join(sorted(set(whys)))}); the log shows them"

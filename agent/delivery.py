"""Drains the outbox within a budget. The only retry layer: how long to wait is kept in the outbox."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.outbox import REJECTED, SENT, due_in
from agent.transport import Delivered, Outcome, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.outbox import Outbox

MAX_EVENTS = 100
MAX_BATCH_BYTES = 450 * 1024
FIRST_BACKOFF = 10.0
LONGEST_BACKOFF = 3600.0

Row = tuple[int, str]
Send = "Callable[[list[object], float], Outcome]"


@dataclass(frozen=True)
class Result:
    """What a drain came to: `waiting` is why something still waits, None if nothing does."""

    waiting: str | None = None
    retry_in: float | None = None
    messages: list[str] = field(default_factory=list)


class Drain:
    """One pass over what waits for an endpoint, oldest first, batch by batch."""

    def __init__(
        self,
        outbox: Outbox,
        endpoint: str,
        send: Callable[[list[object], float], Outcome],
        *,
        budget: float,
        patient: bool,
        still_allowed: Callable[[], bool],
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._endpoint = endpoint
        self._send = send
        self._patient = patient
        self._still_allowed = still_allowed
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._chance = chance
        self._end = monotonic() + budget
        self._messages: list[str] = []

    def run(self) -> Result:
        """Deliver until nothing waits, the budget is spent, or the next try is further off than that."""
        self._outbox.adopt(self._endpoint)
        while batch := _batch(self._outbox.waiting(self._endpoint, limit=MAX_EVENTS)):
            stopped = self._step(batch)
            if stopped is not None:
                return stopped
        return Result(messages=self._messages)

    def _step(self, batch: list[Row]) -> Result | None:
        """One batch; a Result if this was the last that can be done now."""
        if not self._still_allowed():
            return self._stop("docker.env was changed meanwhile")
        trouble = self._outbox.trouble(self._endpoint)
        wait = due_in(trouble, self._now())
        if trouble is not None and wait > (self._left() if self._patient else 0):
            return self._stop(trouble.error, wait)
        if wait > 0:
            self._sleep(wait)
        if self._left() <= 0:
            return self._stop("the time given was too short")
        return self._deliver(batch)

    def _deliver(self, batch: list[Row]) -> Result | None:
        """Send a batch, split until what offends stands alone."""
        pending = [batch]
        while pending:
            part = pending.pop()
            outcome = self._send([json.loads(text) for _, text in part], self._left())
            if isinstance(outcome, Delivered):
                self._settle(part, SENT)
            elif isinstance(outcome, Rejected) and len(part) > 1:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]
            elif isinstance(outcome, Rejected):
                self._settle(part, REJECTED)
                self._messages.append(f"one event was rejected ({outcome.why}); rollcall log shows it")
            else:
                return self._failed(outcome.why, outcome.after)
            if pending and self._left() <= 0:
                return self._stop("the time given was too short")
        return None

    def _settle(self, part: list[Row], state: str) -> None:
        trouble = self._outbox.trouble(self._endpoint)
        if trouble is not None:
            self._outbox.answered(self._endpoint)
            self._messages.append(
                f"{self._endpoint} answers again, after {trouble.failures} failures since {trouble.since}"
            )
        self._outbox.settle([seq for seq, _ in part], state)

    def _failed(self, why: str, after: float | None) -> Result | None:
        """Note the failure and when to try again; go on only if that is within the budget."""
        trouble = self._outbox.trouble(self._endpoint)
        failures = trouble.failures if trouble else 0
        wait = backoff(failures, self._chance()) if after is None else after
        self._outbox.failed(self._endpoint, why, self._now() + wait)
        if trouble is None:
            self._messages.append(f"{self._endpoint} cannot be reached: {why}; events wait")
        return None if self._patient and wait <= self._left() else self._stop(why, wait)

    def _stop(self, why: str, retry_in: float | None = None) -> Result:
        return Result(why, retry_in, self._messages)

    def _left(self) -> float:
        return self._end - self._monotonic()


def backoff(failures: int, chance: float) -> float:
    """Full jitter: anything from nothing to a span that doubles with every failure, an hour at most."""
    return chance * min(FIRST_BACKOFF * 2.0 ** min(failures, 20), LONGEST_BACKOFF)


def _batch(rows: list[Row]) -> list[Row]:
    """As many of the rows as fit into one request."""
    return list(_fitting(rows))


def _fitting(rows: list[Row]) -> Iterator[Row]:
    size = 0
    for row in rows:
        size += len(row[1].encode()) + 1
        if size > MAX_BATCH_BYTES:
            return
        yield row

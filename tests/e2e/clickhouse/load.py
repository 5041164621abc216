"""Senders as agents are: each event until it is acknowledged, in whatever groups, to whichever collector."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.config.access import Access
from agent.delivery.transport import Delivered, RetryLater, Transport
from collector.base.times import write_time
from tests.collector.running import Collector, event

ATTEMPT_SECONDS = 15
PAUSE_SECONDS = 0.05
FRESH = 8  # events of a sender's own in a batch
MOST = 40  # events in a batch


@dataclass
class Sender:
    """Sends its events, and others of its own beside them, with the agent's transport."""

    collectors: Sequence[Collector]
    events: list[str]
    stop: threading.Event
    seed: int
    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0

    def send(self) -> None:
        """Until it is stopped and everything is acknowledged."""
        chance, waiting = random.Random(self.seed), list(self.events)
        while waiting or not self.stop.is_set():
            if not self.stop.is_set():
                now = write_time(int(time.time() * 1000))
                waiting += [
                    json.dumps(event(anonymousId=f"a{self.seed}", timestamp=now)) for _ in range(FRESH)
                ]
            chance.shuffle(waiting)  # so that what is sent again comes in other groups
            batch = waiting[: chance.randint(1, MOST)]
            if self._is_taken(chance.choice(self.collectors), batch):
                waiting = waiting[len(batch) :]
                self.acknowledged += batch
                # Now and then an answer is lost, and what was acknowledged comes again.
                waiting += batch[:2] if chance.random() < 0.1 else []
            else:
                self.refused += 1
                self.stop.wait(PAUSE_SECONDS)

    def _is_taken(self, collector: Collector, batch: list[str]) -> bool:
        transport = Transport(f"http://127.0.0.1:{collector.port}", Access(collector.key), now=time.time)
        try:
            outcome = transport.send(batch, ATTEMPT_SECONDS)
        finally:
            transport.close()
        assert outcome == Delivered() or isinstance(outcome, RetryLater), outcome
        return isinstance(outcome, Delivered)


def ids_of(events: Sequence[str]) -> list[str]:
    """Their ids, each once, in order."""
    return sorted({json.loads(one)["messageId"] for one in events})

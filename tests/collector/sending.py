"""Senders as agents are: each event until it is acknowledged, in whatever groups, to whichever collector."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from agent.config.access import Access
from agent.delivery.transport import Delivered, RetryLater, Transport
from collector.base.times import write_time
from tests.collector.running import Collector, event

ATTEMPT_SECONDS = 15
PAUSE_SECONDS = 0.05
MOST = 40  # events in a batch
BUSY = "503 Service Unavailable"


def timed_events(count: int) -> list[dict[str, Any]]:
    """Events that happen now, of one instance."""
    now = write_time(int(time.time() * 1000))
    return [event(timestamp=now) for _ in range(count)]


@dataclass
class Sender:
    """Sends its events, and others that it makes meanwhile, with the agent's transport."""

    collectors: Sequence[Collector]
    seed: int = 0
    events: Sequence[str] = ()
    make: Callable[[int], list[dict[str, Any]]] = timed_events
    fresh: int = 8
    """How many it makes for each batch."""
    pause: float = 0
    """Seconds to wait after each batch."""
    acknowledged: list[str] = field(default_factory=list)
    """In the order of the answers; what was sent again is there again."""
    refused: int = 0
    """Batches that were not taken, whether there was an answer or none."""
    refusals: set[str] = field(default_factory=set)
    """The answers of those."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Makes no more events from then on."""
    given_up: bool = False

    def send(self) -> None:
        """Until it is stopped and everything is acknowledged, or it is given up."""
        chance, waiting = random.Random(self.seed), list(self.events)
        while (waiting or not self.stop.is_set()) and not self.given_up:
            if not self.stop.is_set():
                waiting += [json.dumps(one) for one in self.make(self.fresh)]
            chance.shuffle(waiting)  # so that what is sent again comes in other groups
            batch = waiting[: chance.randint(1, MOST)]
            if self._is_taken(chance.choice(self.collectors), batch):
                waiting = waiting[len(batch) :]
                self.acknowledged += batch
                # Now and then an answer is lost, and what was acknowledged comes again.
                waiting += batch[:2] if chance.random() < 0.1 else []
                self.stop.wait(self.pause)
            else:
                self.refused += 1
                self.stop.wait(PAUSE_SECONDS)

    def _is_taken(self, collector: Collector, batch: list[str]) -> bool:
        transport = Transport(f"http://127.0.0.1:{collector.port}", Access(collector.key), now=time.time)
        try:
            outcome = transport.send(batch, ATTEMPT_SECONDS)
        finally:
            transport.close()
        if isinstance(outcome, RetryLater):
            if outcome.answered:
                assert outcome.after, f"{outcome.why}, and not when to try again"
                self.refusals.add(outcome.why)
            return False
        assert outcome == Delivered(), outcome
        return True


@contextmanager
def sending(senders: Sequence[Sender]) -> Iterator[None]:
    """Senders at work. At the end all that they have is acknowledged; a failure of one is raised."""
    with ThreadPoolExecutor(len(senders)) as threads:
        running = [threads.submit(sender.send) for sender in senders]
        try:
            yield
        except BaseException:
            for sender in senders:
                sender.given_up = True
            raise
        finally:
            for sender in senders:
                sender.stop.set()
    for one in running:
        one.result()


def acknowledged_by(senders: Iterable[Sender]) -> int:
    return sum(len(sender.acknowledged) for sender in senders)


def ids_of(senders: Iterable[Sender]) -> list[str]:
    """The ids of what was acknowledged, each once, in order."""
    return sorted({json.loads(one)["messageId"] for sender in senders for one in sender.acknowledged})

"""POST /v1/forget: an instance is deleted for whoever has a write key and its id. The id is the proof."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from collector.base.http import Answer, Refused
from collector.base.ids import key_of
from collector.base.limits import RETRY_SECONDS
from collector.base.times import write_time
from collector.ingest.allowance import Allowance
from collector.ingest.decode import parse_object
from collector.store import Stores
from collector.store.deletion import forget_instance
from collector.store.values import Forgotten

LONGEST_ID = 200
# So many addresses may wait, and so many requests of each.
MOST_PEERS, MOST_OF_PEER = 20, 5


@dataclass
class _Line:
    """The requests of one peer that are not answered yet. The first of them waits for the turn."""

    first: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class Forgetting:
    """Deletes instances, for one server: one at a time, because each may search through many heartbeats.

    Peers take turns, so whoever asks much waits behind whoever asks once.
    """

    def __init__(
        self, stores: Stores, allowance: Allowance, now: Callable[[], float], clock: Callable[[], float]
    ) -> None:
        self._stores, self._allowance, self._now, self._clock = stores, allowance, now, clock
        self._turn = asyncio.Lock()
        self._lines: dict[str, _Line] = {}

    async def answer(self, source: int, peer: str, body: bytes) -> Answer:
        """Delete the instance that the body names. Refused if it names none, or if the peer must wait."""
        instance = _instance_in(body)
        self._allowance.check_search(peer)
        async with self._turn_of(peer):
            began = self._clock()
            try:
                done = await asyncio.to_thread(forget_instance, self._stores, source, key_of(instance))
            finally:
                self._allowance.pay_search(peer, self._clock() - began)
        return Answer(200, msgspec.json.encode(receipt(instance, done, int(self._now() * 1000))))

    @asynccontextmanager
    async def _turn_of(self, peer: str) -> AsyncIterator[None]:
        """Wait until it is the peer's turn. Refused if too many wait."""
        line = self._lines.get(peer) or _Line()
        if not line.length and len(self._lines) >= MOST_PEERS:
            raise Refused(503, "busy", "the server is busy; try again later", RETRY_SECONDS)
        if line.length >= MOST_OF_PEER:
            message = "other requests from this address wait; try again later"
            raise Refused(429, "rate_limited", message, RETRY_SECONDS)
        self._lines[peer] = line
        line.length += 1
        try:
            async with line.first, self._turn:
                yield
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[peer]


def receipt(instance: str, done: Forgotten, now: int) -> dict[str, Any]:
    """What was deleted; for an id that nothing is stored of, the same with zeros."""
    return {
        "success": True,
        "instanceId": instance,
        "deleted": {
            "instances": done.instances,
            "events": done.events,
            "runs": done.runs,
            "requestsForHelp": done.requests,
            "bundles": done.bundles,
        },
        "at": write_time(now),
        "digest": f"sha256:{done.digest}",
    }


def _instance_in(body: bytes) -> str:
    instance = parse_object(body).get("instanceId")
    if not isinstance(instance, str) or not 0 < len(instance) <= LONGEST_ID:
        raise Refused(400, "no_instance", f"`instanceId` must be a text of 1 to {LONGEST_ID} characters")
    return instance

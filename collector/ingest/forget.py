"""POST /v1/forget: an instance is deleted for whoever has a write key and its id. The id is the proof."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from collector.base.http import Answer, Refused
from collector.base.ids import key_of
from collector.base.limits import RETRY_SECONDS
from collector.base.times import write_time
from collector.ingest.decode import parse_object
from collector.store import Stores
from collector.store.deletion import forget_instance
from collector.store.values import Forgotten

LONGEST_ID = 200
# One at a time, because each may search through many heartbeats.
MOST_WAITING = 20


class Forgetting:
    """Deletes instances, for one server."""

    def __init__(self, stores: Stores, now: Callable[[], float]) -> None:
        self._stores, self._now = stores, now
        self._turn, self._waiting = asyncio.Lock(), 0

    async def answer(self, source: int, body: bytes) -> Answer:
        """Delete the instance that the body names. Refused if it names none, or if too many wait."""
        instance = _instance_in(body)
        if self._waiting >= MOST_WAITING:
            raise Refused(503, "busy", "the server is busy; try again later", RETRY_SECONDS)
        self._waiting += 1
        try:
            async with self._turn:
                done = await asyncio.to_thread(forget_instance, self._stores, source, key_of(instance))
        finally:
            self._waiting -= 1
        return Answer(200, msgspec.json.encode(receipt(instance, done, int(self._now() * 1000))))


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

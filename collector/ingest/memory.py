"""Memory for requests: how much they may hold, and for how long while their bodies arrive.

Requests with a known key share most of it. Until its key is known, a request shares a small part with the
others like it, and has to get on. So a stranger without a key displaces only strangers. One with a key
is displaced where there is no room, because he is the one who holds much for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

from collector.base import http
from collector.base.http import Receive, Refused
from collector.base.room import Holding, NoRoom, Room

# The part of the memory for requests whose key is not known: an eighth.
UNKNOWN_PART = 8
# Each time that so many seconds pass, the body of such a request must have brought so many bytes.
PROGRESS_SECONDS, PROGRESS_BYTES = 2.0, 2048


class Memory:
    """What the requests of one server hold."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self.unknown = Room(size // UNKNOWN_PART, clock)
        self.known = Room(size - self.unknown.size, clock)

    @property
    def used(self) -> int:
        return self.unknown.used + self.known.used

    def hold(self, peer: str) -> Holding:
        """For the request of this task, whose key is not known yet. It makes way by being interrupted."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        return Holding(self.unknown, peer, task.cancel)


async def receive_body(receive: Receive, most: int, held: Holding, *, hurried: bool) -> bytes:
    """The body, which may be displaced while it arrives. Refused or NoRoom if it cannot be had."""
    held.wait()
    try:
        return await http.read_body(_hurry(receive) if hurried else receive, most, held.take)
    except asyncio.CancelledError:
        if held.evicted:
            raise NoRoom from None
        raise
    finally:
        held.proceed()


def _hurry(receive: Receive) -> Receive:
    """The same, but Refused if the client does not get on."""
    clock = asyncio.get_running_loop().time
    due, missing = clock() + PROGRESS_SECONDS, PROGRESS_BYTES

    async def receive_in_time() -> MutableMapping[str, Any]:
        nonlocal due, missing
        try:
            message = await asyncio.wait_for(receive(), due - clock())
        except asyncio.TimeoutError:
            raise Refused(408, "slow", "the request arrives too slowly") from None
        missing -= len(message.get("body", b""))
        if missing <= 0:
            due, missing = clock() + PROGRESS_SECONDS, PROGRESS_BYTES
        return message

    return receive_in_time

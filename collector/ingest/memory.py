"""Memory for requests: how much they may hold, and for how long while their bodies arrive.

Requests with a known key share most of it. Until its key is known, a request shares a small part with the
others like it, and has to get on. So a stranger without a key displaces only strangers. One with a key
is displaced where there is no room, because he is the one who holds much for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

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
    progress = _Progress(held) if hurried else None
    held.wait()
    try:
        return await http.read_body(receive, most, progress.take if progress else held.take)
    except asyncio.CancelledError:
        if progress and progress.stalled:
            raise Refused(408, "slow", "the request arrives too slowly; try again") from None
        if held.evicted:
            raise NoRoom from None
        raise
    finally:
        held.proceed()
        if progress:
            progress.stop()


class _Progress:
    """Looks whether a body gets on; one that does not makes way."""

    def __init__(self, held: Holding) -> None:
        self.stalled = False
        self._held, self._brought = held, 0
        self._look_later()

    def take(self, count: int) -> None:
        self._held.take(count)
        self._brought += count

    def stop(self) -> None:
        self._timer.cancel()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PROGRESS_SECONDS, self._look)

    def _look(self) -> None:
        if self._brought < PROGRESS_BYTES:
            self.stalled = True
            self._held.make_way()
        else:
            self._brought = 0
            self._look_later()

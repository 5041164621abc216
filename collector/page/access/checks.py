"""Work that hashes a password: only a little of it at once, because each piece takes memory and a core."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from collector.page.request import PageError

# Each takes 16 MiB and a few hundred milliseconds of a core.
AT_ONCE = 2
MOST_WAITING = 20
RETRY_SECONDS = 5

T = TypeVar("T")


class PasswordChecks:
    """Runs work in threads, a few pieces at once."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def run(self, work: Callable[[], T], *, known: bool = False) -> T:
        """What the work returns. PageError 503 if too many wait, unless the browser is a known one."""
        if self._waiting >= MOST_WAITING and not known:
            raise PageError(503, "Too many people sign in now. Try again in a moment.", RETRY_SECONDS)
        self._waiting += 1
        try:
            async with self._room:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1

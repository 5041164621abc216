"""Work that checks a password or a member's proof: one piece at a time, as each takes memory or a core."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from collector.page.request import PageError

# A password takes 16 MiB and a quarter of a second of a core. A member's proof takes less of it, but lets no
# other thread run meanwhile: many at once would keep events waiting. The thread is always the same one,
# because the memory allocator keeps for each thread what it has once used.
AT_ONCE = 1
MOST_WAITING = 20
RETRY_SECONDS = 5

T = TypeVar("T")


class PasswordChecks:
    """Runs work in a thread of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._waiting = 0

    async def run(self, work: Callable[[], T], *, known: bool = False) -> T:
        """What the work returns. PageError 503 if too many wait, unless the browser is a known one."""
        if self._waiting >= MOST_WAITING and not known:
            raise PageError(503, "Too many people sign in now. Try again in a moment.", RETRY_SECONDS)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

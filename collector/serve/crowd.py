"""The page for a crowd: so many requests at once, and who costs most makes way.

A request for the page waits for a thread, and goes on to wait if its client is gone. Without a bound a
stranger could fill the memory with such requests, and the tracking API would wait for the same threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

from collector.base import http
from collector.base.http import Answer, App, Receive, Scope, Send
from collector.base.peers import peer_in
from collector.base.room import Holding, NoRoom, Room
from collector.page.frame import json_error
from collector.page.request import path_and_suffix
from collector.settings import Settings

MOST_AT_ONCE = 50
BUSY, RETRY = "The page is busy. Try again in a moment.", (b"retry-after", b"5")


class CrowdedPage:
    """The page, with a bound."""

    def __init__(self, page: App, settings: Settings, clock: Callable[[], float]) -> None:
        self._page, self._trusted = page, settings.trusted_proxies
        self._room = Room(MOST_AT_ONCE, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        peer = peer_in(scope, self._trusted)
        held = Holding(self._room, peer, task.cancel if task else lambda: None)
        started = False

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)
            if not held.evicted:
                held.wait()  # the client got on: a long export is no cost that grows

        try:
            held.take(1)
            held.wait()
            await self._page(scope, receive, noting)
        except (NoRoom, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and not held.evicted:
                raise
            if started:  # an answer in pieces breaks off
                raise http.ClientGone from None
            await _busy(scope).send(send)
        finally:
            held.give_all()


def _busy(scope: Scope) -> Answer:
    """For programs it is JSON, as every error."""
    if path_and_suffix(scope)[1]:
        return http.with_headers(json_error(503, BUSY), [RETRY])
    return Answer(503, f"{BUSY}\n".encode(), http.TEXT, (RETRY,))

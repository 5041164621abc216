"""Servers that accept connections and answer nothing: how they are told from slow ones, and remembered.

A server that works answers a ping at once, however long a statement takes it.
"""

from __future__ import annotations

import http.client
import select
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress

from collector.store.clickhouse.address import Host

# A statement is waited for so long before its server is asked for a sign of life; then for twice as long.
LOOK_SECONDS, PING_SECONDS = 1.0, 2.0
# So long no statement goes to a server that was frozen, if there is another one.
REMEMBERED_SECONDS = 30.0


class NoSignOfLifeError(TimeoutError):
    """A server accepts connections and answers nothing."""


class FrozenServers:
    """Which servers did not answer lately. Threads and clients share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[Host, float] = {}

    def note(self, host: Host) -> None:
        self._until[host] = self._clock() + REMEMBERED_SECONDS

    def clear(self, host: Host) -> None:
        self._until.pop(host, None)

    def is_remembered(self, host: Host) -> bool:
        return self._until.get(host, 0.0) > self._clock()


def wait_for_answer(link: socket.socket, host: Host, seconds: float, *, looks: bool) -> None:
    """Wait until an answer begins. TimeoutError if that takes too long or the server is frozen."""
    end, pause = time.monotonic() + seconds, LOOK_SECONDS if looks else seconds
    while not _begins(link, min(pause, end - time.monotonic())):
        if time.monotonic() >= end:
            raise TimeoutError
        if looks and not pings(host):
            raise NoSignOfLifeError
        pause *= 2


def pings(host: Host) -> bool:
    """Whether a server gives a sign of life, whatever it is."""
    connection = http.client.HTTPConnection(*host, timeout=PING_SECONDS)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/ping")
        connection.getresponse()
        return True
    return False


def _begins(link: socket.socket, seconds: float) -> bool:
    waiting = select.poll()
    waiting.register(link, select.POLLIN)
    return bool(waiting.poll(max(0.0, seconds) * 1000))

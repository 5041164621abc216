"""Ports on loopback for the servers of a cluster, which name each other before they start."""

from __future__ import annotations

import socket


class Ports:
    """Ports that the kernel chose. They are held, because a server may begin to listen there late."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self) -> int:
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that another may bind and listen
        held.bind(("127.0.0.1", 0))
        self._held.append(held)
        port: int = held.getsockname()[1]
        return port

    def give_back(self) -> None:
        for held in self._held:
            held.close()

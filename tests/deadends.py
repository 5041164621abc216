"""Places on loopback where nothing gets through, each in its own way."""

import socket
from collections.abc import Sequence
from typing import final


@final
class BlackHole:
    """An address on loopback that never completes a handshake: its queue is full."""

    def __enter__(self) -> "BlackHole":
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._fillers: Sequence[socket.socket] = [socket.socket() for _ in range(4)]
        for filler in self._fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
        return self

    def __exit__(self, *_: object) -> None:
        for one in (*self._fillers, self._listener):
            one.close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@final
class Mute:
    """Accepts connections and never reads a byte, its window so small that a body does not fit."""

    def __enter__(self) -> "Mute":
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.port: int = self._listener.getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def unused_port() -> int:
    """A port that refuses: it was the kernel's choice a moment ago, and nobody listens on it."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port

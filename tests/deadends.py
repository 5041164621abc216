"""Places on loopback where nothing gets through, each in its own way."""

import atexit
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
    """A port that refuses, until somebody listens on it who was told of it.

    It is held, so that the kernel gives it to nobody else, not even to who connects to it.
    """
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that another may bind and listen
    one.bind(("127.0.0.1", 0))
    atexit.register(one.close)
    port: int = one.getsockname()[1]
    return port

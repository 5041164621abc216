"""A TCP proxy on 127.0.0.1 that delays what clients send, as a network between two machines would.

    python -m bench.delay PORT MILLISECONDS

Prints its own port, and serves until it is ended. A question to a database behind it takes so much longer.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial

import uvloop


class Side(asyncio.Protocol):
    """One end of a connection; what comes in goes out at the other end, some time later."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.other: asyncio.Transport | None = None
        self.waiting: list[bytes] = []

    def join(self, other: asyncio.Transport) -> None:
        self.other = other
        for data in self.waiting:
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.waiting.append(data)
        elif self.seconds:
            asyncio.get_running_loop().call_later(self.seconds, self.other.write, data)
        else:
            self.other.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        if self.other is not None:
            asyncio.get_running_loop().call_later(self.seconds, self.other.close)


class Client(Side):
    """A client; its connection to the server is made when it comes."""

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__(seconds)
        self.port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.own = transport
        self.connecting = asyncio.ensure_future(self.connect())

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        there, back = await loop.create_connection(lambda: Side(0), "127.0.0.1", self.port)
        back.join(self.own)  # type: ignore[arg-type]
        self.join(there)


async def serve(port: int, seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(partial(Client, port, seconds), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))

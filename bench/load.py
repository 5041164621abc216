"""A load on an HTTP server from one process: connections that each send, wait, and send again.

    python -m bench.load PORT KEY CONNECTIONS SECONDS RATE BATCH [PATH [REQUESTS]]

RATE is requests a second over all connections, 0 as fast as it goes; BATCH is events a request, 0 for
single events, -1 for GET requests. Requests are made up beforehand, so that the load costs little.
Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections import deque
from typing import Any

import uvloop

INSTANCES = 10_000
LONGEST_RUN = 200_000


def message_id(number: int, began: int) -> str:
    """A UUIDv7 of its own, in the order of its number."""
    raw = bytearray((began + number // 20).to_bytes(6, "big") + os.urandom(10))
    raw[6], raw[8] = raw[6] & 0x0F | 0x70, raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def beat(number: int, began: int, instances: int = INSTANCES) -> dict[str, Any]:
    """A heartbeat as the agent sends it."""
    who = f"00000000-0000-4000-8000-{number % instances:012x}"
    return {
        "type": "track",
        "event": "Instance Active",
        "anonymousId": who,
        "messageId": message_id(number, began),
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(began / 1000)),
        "context": {"library": {"name": "rollcall", "version": "0.1.0"}, "ip": "0.0.0.0"},
        "integrations": {},
        "properties": {"instanceId": who},
    }


def request(path: str, key: str, body: bytes) -> bytes:
    """A POST with its head."""
    auth = base64.b64encode(f"{key}:".encode()).decode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {auth}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """Sends what it is given, one request after the other."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.transport: asyncio.Transport | None = None
        self.sent = 0.0
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.load.free(self)

    def send(self, data: bytes) -> None:
        assert self.transport is not None
        self.sent = time.perf_counter()
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, gap, rest = self.buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(rest) >= length:
            self.buffer = rest[length:]
            self.load.answered(self, int(head[9:12]))

    def connection_lost(self, _: Exception | None) -> None:
        self.load.lost += 1


class Load:
    """The connections, and what they saw."""

    def __init__(self, requests: list[bytes], rate: float, seconds: float) -> None:
        self.requests = requests
        self.next = 0
        self.rate, self.seconds = rate, seconds
        self.idle: deque[Connection] = deque()  # each in its turn, so that none is idle for long
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.lost = 0
        self.began = 0.0

    def free(self, connection: Connection) -> None:
        self.idle.append(connection)

    def answered(self, connection: Connection, status: int) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(time.perf_counter() - connection.sent)
        if not self.rate and self.going():
            self.send(connection)
        else:
            self.free(connection)

    def going(self) -> bool:
        in_time = bool(self.rate) or time.perf_counter() - self.began < self.seconds
        return in_time and self.next < len(self.requests)

    def send(self, connection: Connection) -> None:
        connection.send(self.requests[self.next])
        self.next += 1

    async def run(self, port: int, connections: int) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", port)
        while len(self.idle) < connections:  # noqa: ASYNC110 - a load is paced by polling
            await asyncio.sleep(0.01)
        self.began = time.perf_counter()
        while self.going():
            due = int((time.perf_counter() - self.began) * self.rate) + 1 if self.rate else len(self.requests)
            while self.next < due and self.idle and self.going():
                self.send(self.idle.popleft())
            await asyncio.sleep(0.002)
        until = time.perf_counter() + 15
        while len(self.latencies) < self.next and time.perf_counter() < until:  # noqa: ASYNC110 - a load is paced by polling
            await asyncio.sleep(0.005)
        took = time.perf_counter() - self.began
        return {
            "sent": self.next,
            "seconds": took,
            "lost": self.lost,
            "statuses": self.statuses,
            **self.percentiles(),
        }

    def percentiles(self) -> dict[str, float]:
        ordered = sorted(self.latencies) or [0.0]
        return {
            f"p{p}": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] * 1000 for p in (50, 99, 100)
        }


def main(argv: list[str]) -> int:
    port, key, connections, seconds, rate, batch = int(argv[0]), argv[1], int(argv[2]), *map(float, argv[3:6])
    path = argv[6] if len(argv) > 6 else "/v1/batch" if batch > 0 else "/v1/track"
    began = int(time.time() * 1000)
    count = int(min(LONGEST_RUN, rate * seconds if rate else LONGEST_RUN / max(batch, 1)))
    count = int(argv[7]) if len(argv) > 7 else count
    if batch < 0:
        requests = [f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()] * count
    else:
        requests = [request(path, key, _body(number, int(batch), began)) for number in range(count)]
    load = Load(requests, rate, seconds)
    uvloop.install()
    result = asyncio.run(load.run(port, connections))
    result["events"] = result["statuses"].get(200, 0) * max(1, int(batch))
    json.dump(result, sys.stdout)
    return 0


def _body(number: int, batch: int, began: int) -> bytes:
    sent = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(began / 1000))
    if not batch:
        return json.dumps({**beat(number, began), "sentAt": sent}).encode()
    events = [beat(number * batch + index, began) for index in range(batch)]
    return json.dumps({"batch": events, "sentAt": sent}).encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

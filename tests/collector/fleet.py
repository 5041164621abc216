"""Fifty well-behaved clients with a known key, which go on while something else attacks the collector.

    with attack(...):
        assert is_served(collector.port, collector.key)

Half of them open a connection for each request, as the agent does. The others keep theirs and open a new
one if the server closed it, as every HTTP library does. Each tenth sends batches. The fleet is a process
of its own, so that it does not wait for the test:

    python -m tests.collector.fleet PORT KEY ROUNDS ORIGIN
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bench.load import beat, request

CLIENTS, BATCH = 50, 30
ROUNDS = 12
PAUSE_SECONDS = 0.5  # at most, between two requests of a client
PATIENCE = 10.0
SHARE, TRIES = 0.99, 3
LOST = 0  # the status of a request without an answer

Origin = Literal["apart", "together", "forwarded"]
"""Where they come from: each from an address of its own, all from one address (as behind a proxy that is
not named), or all from a proxy that names the client."""


@dataclass(frozen=True)
class FleetReport:
    """What the fleet saw; times are in seconds, from the first try to the answer."""

    statuses: dict[str, int]
    p50: float
    p99: float

    @property
    def share(self) -> float:
        """The share of requests that were answered with 200."""
        return self.statuses.get("200", 0) / max(1, sum(self.statuses.values()))


class Fleet:
    """A fleet that has begun; it ends by itself after its rounds, or when it is asked for its report."""

    def __init__(self, port: int, key: str, *, rounds: int = ROUNDS, origin: Origin = "apart") -> None:
        command = [sys.executable, "-m", "tests.collector.fleet", str(port), key, str(rounds), origin]
        self._process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def report(self, *, now: bool = False) -> FleetReport:
        """What it saw in all rounds, or in those that it had begun by now."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._process:
            if now:
                self._process.stdin.close()
            return FleetReport(**json.loads(self._process.stdout.read()))


def run_fleet(port: int, key: str, *, rounds: int = ROUNDS, origin: Origin = "apart") -> FleetReport:
    """Send so many requests from each client."""
    return Fleet(port, key, rounds=rounds, origin=origin).report()


def is_served(port: int, key: str, *, origin: Origin = "apart") -> bool:
    """Whether nearly all requests are answered with 200. A busy machine spoils one try, an attack all."""
    for _ in range(TRIES):
        report = run_fleet(port, key, origin=origin)
        if report.share >= SHARE:
            return True
        print(report)
    return False


class _Client:
    """One client; `number` decides what it is like."""

    def __init__(self, number: int, port: int, key: str, origin: Origin) -> None:
        self._number, self._port, self._key = number, port, key
        self._address = f"127.0.1.{number + 1}" if origin == "apart" else "127.0.0.1"
        named = b"\r\nX-Forwarded-For: 198.51.100.%d" % number if origin == "forwarded" else b""
        keep = number % 2 == 1
        self._headers = named + (b"" if keep else b"\r\nConnection: close")
        self._path = "/v1/batch" if number % 10 == 0 else "/v1/track"
        self._kept: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._keep, self._sent = keep, 0

    async def send(self) -> int:
        """Send a request; the status of its answer."""
        data = self._request()
        try:
            return await asyncio.wait_for(self._deliver(data), PATIENCE)
        except (OSError, EOFError, asyncio.TimeoutError):
            self._drop()
            return LOST

    def _request(self) -> bytes:
        began = int(time.time() * 1000)
        count = BATCH if self._path.endswith("batch") else 1
        events = [beat(self._number + (self._sent + n) * CLIENTS, began) for n in range(count)]
        self._sent += count
        body = json.dumps({"batch": events} if count > 1 else events[0]).encode()
        made = request(self._path, self._key, body)
        return made.replace(b"\r\nHost: x", b"\r\nHost: x" + self._headers, 1)

    async def _deliver(self, data: bytes) -> int:
        if self._kept is not None:
            with contextlib.suppress(OSError, EOFError):
                return await self._exchange(data)
            self._drop()  # the server closed it meanwhile
        self._kept = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(self._address, 0))
        return await self._exchange(data)

    async def _exchange(self, data: bytes) -> int:
        assert self._kept is not None
        reader, writer = self._kept
        writer.write(data)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
        if not self._keep or b"connection: close" in head:
            self._drop()
        return int(head[9:12])

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None


async def _run(port: int, key: str, rounds: int, origin: Origin) -> FleetReport:
    seen: list[tuple[int, float]] = []
    told = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    listening, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)

    async def go(client: _Client) -> None:
        for number in range(rounds):
            if number and told.at_eof():
                return
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
            began = time.perf_counter()
            seen.append((await client.send(), time.perf_counter() - began))

    await asyncio.gather(*(go(_Client(number, port, key, origin)) for number in range(CLIENTS)))
    listening.close()
    times = sorted(seconds for _, seconds in seen)
    return FleetReport(
        statuses=dict(Counter(str(status) for status, _ in seen)),
        p50=times[len(times) // 2],
        p99=times[len(times) * 99 // 100],
    )


def main(argv: Sequence[str]) -> int:
    port, key, rounds, origin = argv
    json.dump(asdict(asyncio.run(_run(int(port), key, int(rounds), origin))), sys.stdout)  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

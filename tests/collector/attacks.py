"""What a stranger does to stop the collector: connections that hold something and give nothing.

    with attack(collector.port, collector.key, "idle connections"):
        ...

The attack is a process of its own:

    python -m tests.collector.attacks PORT KEY NAME ORIGIN
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.load import request
from tests.collector.fleet import Origin

LARGE = 499 * 1024  # of the 500 KiB that a request may have
SHARE = 8 * 1024 * 1024 // 18  # of which 18 fill what one address may hold
AGAIN_SECONDS = 1.0  # after which a connection that was closed is opened again


@dataclass(frozen=True)
class Attack:
    """So many connections from each of so many addresses: each sends its bytes, then drips or is silent."""

    addresses: int
    each: int
    sent: bytes
    drip: int = 0
    drip_seconds: float = 0.0


def all_attacks(key: str) -> dict[str, Attack]:
    """Every attack by its name; the key is a valid one."""
    batch, keyless = (request("/v1/batch", known, b" " * LARGE) for known in (key, ""))
    unfinished = LARGE - SHARE + 100
    return {
        "stalled bodies without a key": Attack(2, 18, keyless[:-unfinished]),
        "stalled bodies with a key": Attack(2, 18, batch[:-unfinished]),
        "stalled bodies with a key, from many": Attack(100, 1, batch[:-unfinished]),
        "dripping bodies with a key": Attack(2, 18, batch[:-unfinished], 500, 0.1),
        "dripping bodies without a key": Attack(2, 18, keyless[:-unfinished], 500, 0.1),
        "idle connections": Attack(2, 600, b""),
        "idle connections, from many": Attack(200, 6, b""),
        "heads without end": Attack(2, 600, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", 1, 1.0),
        "small bodies without end": Attack(2, 600, batch[: 1000 - LARGE], 1, 1.0),
        "unknown keys": Attack(2, 600, request("/v1/track", "unknown", b"{}") * 3),
        "requests for the page": Attack(2, 600, b"GET /signin HTTP/1.1\r\nHost: x\r\n\r\n" * 3),
    }


@contextlib.contextmanager
def attack(port: int, key: str, name: str, origin: Origin = "apart") -> Iterator[None]:
    """Attack during the block, once every connection has sent its bytes or was refused."""
    command = [sys.executable, "-m", "tests.collector.attacks", str(port), key, name, origin]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        assert process.poll() is None
        process.stdin.close()


async def _hold(plan: Attack, port: int, number: int, origin: Origin, begun: asyncio.Event) -> None:
    """Keep one connection, and open it again whenever it is closed."""
    number = number % plan.addresses + 1
    address = f"127.0.2.{number}" if origin == "apart" else "127.0.0.1"
    named = b"\r\nX-Forwarded-For: 203.0.113.%d" % number if origin == "forwarded" else b""
    sent = plan.sent.replace(b"\r\nHost: x", b"\r\nHost: x" + named, 1)
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
            try:
                writer.write(sent)
                await writer.drain()
                begun.set()
                await _wait(plan, reader, writer)
            finally:
                writer.close()
        begun.set()
        await asyncio.sleep(AGAIN_SECONDS)


async def _wait(plan: Attack, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the server answers or closes the connection."""
    answer = asyncio.ensure_future(reader.read(1))
    try:
        while not (await asyncio.wait([answer], timeout=plan.drip_seconds or None))[0]:
            writer.write(b"x" * plan.drip)
    finally:
        answer.cancel()


async def _run(plan: Attack, port: int, origin: Origin) -> None:
    told = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    begun = [asyncio.Event() for _ in range(plan.addresses * plan.each)]
    holds = [asyncio.ensure_future(_hold(plan, port, n, origin, event)) for n, event in enumerate(begun)]
    for event in begun:
        await event.wait()
    print("ready", flush=True)
    await told.read()
    for hold in holds:
        hold.cancel()
    await asyncio.gather(*holds, return_exceptions=True)


def main(argv: Sequence[str]) -> int:
    port, key, name, origin = argv
    asyncio.run(_run(all_attacks(key)[name], int(port), origin))  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

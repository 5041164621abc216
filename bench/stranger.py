"""What a stranger with a valid write key does to the disk, the page and the memory of a collector.

    python -m bench stranger [--seconds 60] [--instances 300] [--peers 50]

A small fleet's year is there first. Then the stranger sends as fast as the limits of the defaults let them,
from many addresses: made-up instances, installs and requests for help, each with a version, a system and a
place of failure of its own, names of events, large events, and thousands of events of one run and one
instance. At last the same goes on without limits per second, until the bytes of the day that may come at
once are used up: more than a stranger could reach in an hour.

After each part every view is asked for as HTML and JSON. The slowest of five times is printed, and beside it
what the server's processor took for one: on a busy machine the first says little.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.collector import ROOT
from bench.compare import goal
from collector.base.written import write_size
from collector.settings import read_settings
from tests.collector.running import Collector, basic

GOAL_MS, GOAL_MIB, GOAL_KIB = 200, 150, 1024
SHOWN = 12
BATCH = 50
ASKED = 5
FAST = {f"ROLLCALL_COLLECTOR_{name}": "0" for name in ("RATE", "PEER_RATE")}
USUAL = dict.fromkeys(FAST, "")
ONE = "00000000-0000-4000-8000-00000000000a"
PLACE = {"script": "one.sh", "line": 1, "command": "false", "exitCode": 1, "reason": "exit"}
FAILURE = "/failure?script=one.sh&line=1&command=false&end=1"
STATES = ("beating", "silent", "gone", "never", "new", "returning", "short-lived")
VIEWS = (
    *("/overview", "/overview?period=year", "/installs", "/installs?period=year", "/instances"),
    *(f"/instances?state={state}" for state in STATES),
    *("/support", "/events", "/rejects", "/events?event=Instance+Active", f"/events?instance={ONE}"),
    *(f"/events?instance={ONE}&event=none", f"/run/{ONE}", f"/instance/{ONE}?period=year", FAILURE),
    f"{FAILURE}&period=year",
)

Event = dict[str, Any]


def stamp(ago: float = 0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - ago))


def event(name: str, ago: float = 0, **fields: object) -> Event:
    ids = {"messageId": str(uuid.uuid4()), "anonymousId": str(uuid.uuid4())}
    return {"type": "track", "event": name, **ids, "timestamp": stamp(ago), **fields}


def install(name: str, word: str, **properties: object) -> Event:
    context = {"app": {"version": word}, "os": {"name": word, "version": word}}
    return event(name, context={**context, "installation": {"id": str(uuid.uuid4())}}, properties=properties)


def made_up(chance: random.Random) -> Iterator[list[Event]]:
    """Batches without end, each of another kind."""
    while True:
        words = [uuid.UUID(int=chance.getrandbits(128)).hex[:12] for _ in range(BATCH)]
        yield [install("Installation Started", word) for word in words]
        yield [install("Installation Errors", word, **{**PLACE, "script": word}) for word in words]
        yield [install("Installation Errors", word, **PLACE) for word in words]
        yield [install("Installation Support", word, email=f"{word}@example.org") for word in words]
        pairs = [(str(uuid.uuid4()), ago) for _ in range(BATCH // 2) for ago in (0, 200_000)]
        yield [event("Instance Active", ago, anonymousId=who) for who, ago in pairs]
        yield [event(word) for word in words]
        yield [event("Instance Active", chance.randrange(400) * 86_400, anonymousId=ONE) for _ in words]
        run = {"context": {"installation": {"id": ONE}}, "anonymousId": ONE}
        yield [{**install("Installation Errors", word, **PLACE), **run} for word in words]
        yield [event(word, anonymousId=ONE) for word in words]
        yield [event(words[0], p=[1] * 15_000) for _ in range(10)]


class Stranger:
    """Sends from several addresses until a time, or until nothing is taken any more."""

    def __init__(self, port: int, key: str, until: float) -> None:
        self._port, self._key, self._until = port, key, until
        self.statuses: Counter[int] = Counter()
        self.events = 0

    def send_from(self, number: int) -> None:
        batches = made_up(random.Random(number))
        source = (f"127.0.{1 + number // 250}.{1 + number % 250}", 0)
        while time.time() < self._until:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, 30, source_address=source)
            try:
                self._send(connection, batches)
            except OSError:
                self.statuses[0] += 1
            finally:
                connection.close()

    def _send(self, connection: http.client.HTTPConnection, batches: Iterator[list[Event]]) -> None:
        headers = {"Authorization": basic(self._key), "Content-Type": "application/json"}
        while time.time() < self._until:
            batch = next(batches)
            connection.request("POST", "/v1/batch", json.dumps({"batch": batch}), headers)
            answer = connection.getresponse()
            said = answer.read()
            self.statuses[answer.status] += 1
            self.events += len(batch) if answer.status == 200 else 0
            if b'"quota"' in said:  # a few more may fit, if they are smaller
                self._until = min(self._until, time.time() + 5)
            if answer.status != 200:
                time.sleep(0.2)


def attack(port: int, key: str, seconds: float, peers: int) -> dict[str, Any]:
    """What a stranger in a process of their own saw."""
    arguments = [str(port), key, str(seconds), str(peers)]
    command = [sys.executable, "-m", "bench.stranger", "--attack", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def run_attack(port: int, key: str, seconds: float, peers: int) -> None:
    stranger = Stranger(port, key, time.time() + seconds)
    threads = [threading.Thread(target=stranger.send_from, args=(number,)) for number in range(peers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump({"statuses": stranger.statuses, "events": stranger.events}, sys.stdout)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("c.db*"))


def memory(collector: Collector) -> float:
    """The most memory that the server ever held, in MiB."""
    assert collector.process is not None
    status = Path(f"/proc/{collector.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@dataclass(frozen=True)
class Asked:
    """A view that was asked for: the slowest of its answers, and what they took of the server's processor."""

    address: str
    slowest_ms: float
    processor_ms: float
    kib: float


def ask(collector: Collector, address: str, cookie: str) -> Asked:
    """Ask for a view several times."""
    took, size, before = 0.0, 0, processor(collector)
    for _ in range(ASKED):
        began = time.perf_counter()
        reply = collector.get(address, Cookie=cookie)
        took, size = max(took, time.perf_counter() - began), len(reply.body)
        assert reply.status in (200, 404), (address, reply.status)
    used = (processor(collector) - before) / ASKED
    return Asked(address, took * 1000, used, size / 1024)


def processor(collector: Collector) -> float:
    """Milliseconds of processor that the server's threads have used."""
    assert collector.process is not None
    threads = Path(f"/proc/{collector.process.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6


def all_views(collector: Collector) -> list[Asked]:
    cookie = collector.setup_cookie()
    addresses = [(view, view.partition("?")) for view in VIEWS]
    both = [one for view, (path, mark, query) in addresses for one in (view, f"{path}.json{mark}{query}")]
    return [ask(collector, address, cookie) for address in both]


def measure(collector: Collector, folder: Path, seconds: float, peers: int) -> None:
    """Attack, and print what became of the disk, the page and the memory."""
    before = size(folder)
    seen = attack(collector.port, collector.key, seconds, peers)
    grown = size(folder) - before
    print(f"\n{seen['events']:,} events taken; answers by status: {seen['statuses']}")
    print(f"the disk grew by {write_size(grown)}")
    print(f"{'':<56}{'ms':>8}{'cpu':>8}{'KiB':>8}")
    views = all_views(collector)
    for one in sorted(views, key=lambda one: one.processor_ms, reverse=True)[:SHOWN]:
        print(f"{one.address:<56}{one.slowest_ms:>8.1f}{one.processor_ms:>8.1f}{one.kib:>8.0f}")
    print(goal("growth of the disk, MiB", grown / 2**20, read_settings({"HOME": "/"}).daily / 2**20))
    print(goal("slowest view, ms", max(one.slowest_ms for one in views), GOAL_MS))
    print(goal("busiest view, ms of processor", max(one.processor_ms for one in views), GOAL_MS))
    print(goal("largest view, KiB", max(one.kib for one in views), GOAL_KIB))
    print(goal("memory, MiB", memory(collector), GOAL_MIB))


def main(argv: Sequence[str]) -> int:
    if argv and argv[0] == "--attack":
        run_attack(int(argv[1]), argv[2], float(argv[3]), int(argv[4]))
        return 0
    parser = argparse.ArgumentParser(prog="bench stranger")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--instances", type=int, default=300, help="of the fleet that is there first [300]")
    parser.add_argument("--peers", type=int, default=50, help="addresses of the stranger [50]")
    options = parser.parse_args(argv)
    (ROOT / "build").mkdir(exist_ok=True)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        collector = Collector(folder, f"sqlite:///{folder}/c.db", **USUAL)
        collector.covered = False
        collector.verb("demo-data", "--source", "test", "--instances", str(options.instances))
        collector.start()
        print(f"\n# {options.seconds:.0f} s with the limits of the defaults")
        measure(collector, folder, options.seconds, options.peers)
        collector.stop()
        collector.settings = {**collector.settings, **FAST}
        collector.start()
        print("\n# until no more bytes may come at once: more than in an hour")
        measure(collector, folder, 3600, options.peers)
        collector.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

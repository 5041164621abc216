"""Draining 10,000 events from disk, beside segment-analytics-python sending the same from memory.

Both are whole programs, from their start to their end, against one receiver in a process of its
own that takes everything at once. Rollcall reads its events from SQLite, and marks each batch as
sent, durably, before the next; Segment's client has them handed over in memory.

    python -m bench delivery [ROUNDS]
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.base.statedir import StateDir
from agent.delivery.drain import MAX_EVENTS
from agent.outbox.outbox import Outbox
from bench.compare import goal, ratio, rounds, table, timed
from tests import environ
from tests.instance import event

COUNT = 10_000
ROUNDS = 5
GOAL = 1.0
SECONDS = 300

RECEIVER = """
import socket, sys, threading

def serve(connection, counts):
    file = connection.makefile("rb")
    while line := file.readline():
        length = 0
        while (header := file.readline()) != b"\\r\\n":
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        body = file.read(length)
        counts.append(body.count(b'"messageId"'))
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")

counts = []
server = socket.create_server(("127.0.0.1", 0), backlog=64)
print(server.getsockname()[1], flush=True)

def accept():
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection, counts), daemon=True).start()

threading.Thread(target=accept, daemon=True).start()
for _ in sys.stdin:
    print(sum(counts), flush=True)
    counts.clear()
"""

SEGMENT = """
import json, sys
from datetime import datetime
from segment.analytics.client import Client

def give_up(error, items):
    raise SystemExit(str(error))

client = Client(
    "key", host=sys.argv[2], max_queue_size=100_000, upload_size=int(sys.argv[3]), on_error=give_up
)
for line in open(sys.argv[1]):
    event = json.loads(line)
    client.track(
        anonymous_id=event["anonymousId"], event=event["event"], properties=event["properties"],
        context=event["context"], timestamp=datetime.fromisoformat(event["timestamp"][:-1]),
        message_id=event["messageId"],
    )
client.shutdown()
"""

FLUSH = """
import sys
from agent.cli import run_verb
code = run_verb(["flush", "--budget", "10m"])
status = open("/proc/self/status").read()
print(status.partition("VmHWM:")[2].split()[0])
sys.exit(code)
"""


class Bench:
    """The receiver, the events, and both who send them."""

    def __init__(self, folder: Path, receiver: "subprocess.Popen[str]") -> None:
        self._folder = folder
        self._receiver = receiver
        assert receiver.stdout is not None
        self.endpoint = f"http://127.0.0.1:{receiver.stdout.readline().strip()}"

    def prepare(self, count: int) -> None:
        """An outbox of so many events, and the same as lines for Segment's client."""
        made = [event(number) for number in range(count)]
        lines = "\n".join(json.dumps(one) for one in made)
        (self._folder / "events.jsonl").write_text(lines)
        state = StateDir(str(self._folder / f"outbox-{count}"))
        with contextlib.closing(Outbox(state)) as outbox:
            outbox._database._db.execute("PRAGMA synchronous = OFF")  # noqa: SLF001 - not what is measured
            for one in made:
                outbox.record(one, self.endpoint)

    def fresh_outbox(self, count: int) -> None:
        shutil.rmtree(self._folder / "state", ignore_errors=True)
        shutil.copytree(self._folder / f"outbox-{count}", self._folder / "state")
        os.sync()

    def flush(self, command: Sequence[str] = ("-m", "agent", "flush", "--budget", "10m")) -> str:
        return self._python(*command)

    def segment(self) -> str:
        events = str(self._folder / "events.jsonl")
        return self._python("-c", SEGMENT, events, self.endpoint, str(MAX_EVENTS))

    def peak(self, count: int) -> float:
        """The most memory that a flush of so many took, in MiB."""
        self.fresh_outbox(count)
        kib = int(self.flush(("-c", FLUSH)))
        self.arrived(count)
        return kib / 1024

    def arrived(self, count: int) -> None:
        """Fail unless so many events came since the last time this was asked."""
        assert self._receiver.stdin is not None
        assert self._receiver.stdout is not None
        self._receiver.stdin.write("\n")
        self._receiver.stdin.flush()
        found = int(self._receiver.stdout.readline())
        if found != count:
            raise SystemExit(f"{found} events arrived, not {count}: nothing was measured")

    def _python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-I", *arguments],
            env=environ.bare(
                self._folder,
                ROLLCALL_STATE_DIR=str(self._folder / "state"),
                ROLLCALL_ENDPOINT=self.endpoint,
                ROLLCALL_WRITE_KEY="key",
            ),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return done.stdout


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory(prefix="rollcall-bench-") as folder,
        subprocess.Popen(
            [sys.executable, "-I", "-c", RECEIVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as receiver,
    ):
        try:
            yield Bench(Path(folder), receiver)
        finally:
            receiver.kill()


def main(argv: list[str]) -> int:
    count = int(argv[0]) if argv else ROUNDS
    with bench() as it:
        it.prepare(MAX_EVENTS)
        it.prepare(COUNT)

        def flush() -> float:
            it.fresh_outbox(COUNT)
            figure = timed(it.flush)()
            it.arrived(COUNT)
            return figure

        def segment() -> float:
            figure = timed(it.segment)()
            it.arrived(COUNT)
            return figure

        ours, theirs = "rollcall flush, from disk", "segment-analytics-python, from memory"
        results = rounds(count, {theirs: segment, ours: flush})
        print(f"{COUNT} events to a receiver on loopback, whole programs")
        print(table(results, reference=theirs, unit="ms"))
        print(goal("time beside Segment's client", ratio(results, ours, theirs), GOAL))
        few, many = it.peak(MAX_EVENTS), it.peak(COUNT)
        print(f"peak memory of a flush: {few:.1f} MiB for {MAX_EVENTS}, {many:.1f} MiB for {COUNT}")
        print(goal("memory of 10,000 beside 100", many / few, 1.25))
    return 0

"""Ten processes record at once: the longest that one event waits, beside rows inserted by hand.

By hand means SQLite's own waiting, which gives no turns: whoever is quickest writes next.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from agent.events import catalogue
from bench.compare import goal, ratio, rounds, table, timed
from bench.core import event, record

ROUNDS, WRITERS, RECORDS = 3, 10, 200
PATIENCE_SECONDS = 600
GOAL = 1.0


def insert(path: Path) -> Callable[[], object]:
    path.mkdir(exist_ok=True)
    db = sqlite3.connect(path / "bare.db", timeout=PATIENCE_SECONDS, isolation_level=None)
    db.execute("CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, payload TEXT NOT NULL)")
    return lambda: db.execute("INSERT INTO event (payload) VALUES (?)", (catalogue.dumps(event()),))


RECORDERS = {"by hand": insert, "record": record}


def writer(name: str, path: Path) -> None:
    """Write as soon as a line comes in; print the longest wait in milliseconds."""
    write = timed(RECORDERS[name](path))
    print("ready", flush=True)
    sys.stdin.readline()
    print(max(write() for _ in range(RECORDS)))


def together(name: str, folder: Path) -> float:
    path = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-m", "bench.turns", name, str(path)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(WRITERS)
    ]
    for process in running:
        assert process.stdout
        process.stdout.readline()
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return max(float(process.communicate()[0]) for process in running)


def main(_argv: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        contenders = {name: partial(together, name, Path(folder)) for name in RECORDERS}
        waits = rounds(ROUNDS, contenders, warm_up=0)
    print(f"the longest wait of {WRITERS} processes that write {RECORDS} events each")
    print(table(waits, reference="by hand", unit="ms"))
    print(goal("record to by hand", ratio(waits, "record", "by hand"), GOAL))
    return 0


if __name__ == "__main__":
    writer(sys.argv[1], Path(sys.argv[2]))

"""Start of `rollcall status` and the cost of one durable record, beside what cannot be had for less."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from agent.base import ids
from agent.base.statedir import StateDir
from agent.events import catalogue
from agent.outbox.outbox import Outbox
from bench.compare import goal, ratio, rounds, table, timed

STARTS, RECORDS = 25, 300
STATUS_GOAL_MS, RECORD_GOAL = 60.0, 1.5
ENDPOINT = "https://api.example"


def starts(folder: Path) -> dict[str, Callable[[], float]]:
    """Whole processes, with bytecode as it is on any server, and no setting but where the state is."""
    env = {"PATH": os.defpath, "HOME": str(folder), "ROLLCALL_STATE_DIR": str(folder / "state")}
    StateDir(str(folder / "state")).make()
    record(folder / "state")()
    (folder / "cwd").mkdir()
    (folder / "docker.env").write_text("ROLLCALL_PRODUCT=Shop\n")

    def process(*arguments: str, **more: str) -> Callable[[], float]:
        def run() -> None:
            subprocess.run(
                [sys.executable, "-I", *arguments],
                env={**env, **more},
                cwd=folder / "cwd",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )

        return timed(run)

    return {
        "python -I -c pass": process("-c", "pass"),
        "rollcall status": process("-m", "agent", "status"),
        "rollcall status, docker.env": process(
            "-m", "agent", "status", ROLLCALL_ENV_FILE=str(folder / "docker.env")
        ),
    }


def event() -> dict[str, object]:
    return {"messageId": ids.uuid7(1.8e9), "event": "Filled", "properties": {"x": "x" * 400}}


def record(path: Path) -> Callable[[], object]:
    box = Outbox(StateDir(str(path)))
    return lambda: box.record(event(), ENDPOINT)


def bare_insert(path: Path) -> Callable[[], object]:
    """The same row, journal and sync, in a table without index, by hand."""
    path.mkdir()
    db = sqlite3.connect(path / "bare.db", isolation_level=None)
    db.execute("PRAGMA synchronous = EXTRA")
    assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    db.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY, payload TEXT NOT NULL)")

    def insert() -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO event (payload) VALUES (?)", (catalogue.dumps(event()),))
        db.execute("COMMIT")

    return insert


def main(_argv: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        started = rounds(STARTS, starts(folder))
        print(table(started, reference="python -I -c pass", unit="ms"))
        recorders = {"bare insert": bare_insert(folder / "bare"), "record": record(folder / "outbox")}
        recorded = rounds(RECORDS, {what: timed(work) for what, work in recorders.items()}, warm_up=20)
        print(table(recorded, reference="bare insert", unit="ms"))
    over = [
        sorted(started[what])[STARTS // 2] - sorted(started["python -I -c pass"])[STARTS // 2]
        for what in started
    ]
    print(goal("rollcall status beyond bare python, ms", over[1], STATUS_GOAL_MS))
    print(goal("the same with a docker.env, ms", over[2], STATUS_GOAL_MS))
    print(goal("record to bare insert", ratio(recorded, "record", "bare insert"), RECORD_GOAL))
    return 0

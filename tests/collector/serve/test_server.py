"""The process: how it starts, what it prints, and how it stops."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests import environ
from tests.collector.running import SECONDS, Collector, event
from tests.wait import PATIENCE

ROOT = Path(__file__).parents[3]


def test_a_first_start_makes_everything_and_says_how_to_point_an_agent_at_it(tmp_path: Path) -> None:
    home = environ.covered(
        tmp_path, XDG_STATE_HOME=str(tmp_path / "state"), STATE_DIRECTORY=str(tmp_path / "state")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "collector", "serve", "--listen", "127.0.0.1:0"],
        env=home,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    endpoint, key = (process.stdout.readline().strip().partition("=")[2] for _ in range(2))
    collector = Collector(tmp_path, f"sqlite:///{tmp_path}/state/collector.db")
    collector.port, collector.key = int(endpoint.rpartition(":")[2]), key
    assert collector.post("/v1/track", {"event": "x", "userId": "u"}).status == 200
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert (tmp_path / "state" / "collector.db").stat().st_mode & 0o777 == 0o600


def test_a_server_with_a_public_address_says_where_it_listens_too(
    start: Callable[..., Collector], tmp_path: Path
) -> None:
    public = "https://rollcall.example"
    served = start(f"sqlite:///{tmp_path}/collector.db", ROLLCALL_COLLECTOR_PUBLIC_URL=public)
    said = f"receiving events at {public}, listening at http://127.0.0.1:{served.port}\n"
    assert served.announced == f"rollcall-collector: {said}"
    assert served.process is not None
    assert served.process.stdout is not None
    assert served.process.stdout.readline() == f"ROLLCALL_ENDPOINT={public}\n"
    assert served.get("/healthz").status == 200


SIGTERM_BEFORE_IT_SERVES = """
import os, signal, sys
from collector import cli
from collector.serve import server
server.gc.freeze = lambda: os.kill(os.getpid(), signal.SIGTERM)
sys.exit(cli.main(["serve", "--listen", "127.0.0.1:0"]))
"""


def test_a_stop_that_comes_at_once_is_obeyed(idle: Collector) -> None:
    command = [sys.executable, "-c", SIGTERM_BEFORE_IT_SERVES]
    done = subprocess.run(
        command, env=idle.environ(), cwd=ROOT, capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_stop_answers_what_is_under_way_and_loses_nothing(collector: Collector) -> None:
    for _ in range(20):
        assert collector.post("/v1/batch", {"batch": [event() for _ in range(100)]}).status == 200
    collector.stop()
    assert len(collector.export()) == 2000


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(PATIENCE)
        collector = Collector(tmp_path, f"sqlite:///{tmp_path}/c.db", NOTIFY_SOCKET=str(tmp_path / "notify"))
        collector.start()
        assert told.recv(100).startswith(b"READY=1")
        collector.stop()
        assert told.recv(100) == b"STOPPING=1"


TELLS_ITS_END = """
import sys
from collector import cli
from collector.base.background import BackgroundJob
from collector.store.sqlite import SQLiteDatabase

def tell(kind, name, word):
    work = getattr(kind, name)
    def telling(self):
        work(self)
        sys.stderr.write(word + "\\n")
    setattr(kind, name, telling)

tell(BackgroundJob, "_repeat", "ended")
tell(SQLiteDatabase, "close", "closed")
sys.exit(cli.main())
"""


def test_the_store_is_closed_after_all_that_works_in_the_background(tmp_path: Path) -> None:
    """A thread that still reads from a closed connection ends the process with SIGSEGV."""
    collector = Collector(tmp_path, f"sqlite:///{tmp_path}/c.db")
    command = [sys.executable, "-c", TELLS_ITS_END, "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        command,
        env=collector.environ(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("receiving events at" in line for line in process.stderr)
        process.terminate()
        said = process.stderr.read().split()  # communicate() would lose what was read ahead of that line
        assert process.wait(SECONDS) == 0
    assert said == ["ended"] * 7 + ["closed"] * 2

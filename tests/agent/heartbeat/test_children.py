"""One child at a time, and never longer than its deadline."""

import subprocess
import sys
from pathlib import Path

from tests import environ
from tests.wait import PATIENCE, has_ended, until

CODE = """
import os, sys
from agent.base import processes
from agent.heartbeat.children import Signals
begun, looks = sys.argv[1], []
def moment():
    looks.append(None)
    return 1000.0 if len(looks) > 1 and os.path.exists(begun) else 0.0
processes.seconds_since_boot = moment
signals = Signals(lambda: 0.05)
print(*signals.run_child(["/bin/sh", "-c", f"sleep 600 & echo $!; : >'{begun}'; wait"], 999))
for command in ("exit 7", "kill -9 $$"):
    print(*signals.run_child(["/bin/sh", "-c", command], 999))
"""
"""The clock moves once, when the first child has begun: however long that took."""


def test_a_child_is_killed_at_its_deadline_with_all_it_started(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-c", CODE, str(tmp_path / "begun")]
    done = subprocess.run(
        command, env=environ.covered(tmp_path), capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    late, wrong, killed = done.stdout.splitlines()
    assert late.startswith("None b'")
    started = Path("/proc") / late.split("'")[1].removesuffix("\\n")
    until(lambda: has_ended(started))
    assert wrong == "7 b''"
    assert killed == "-9 b''"


EDITS = """
import os, signal
from agent.heartbeat.children import Signals
signals = Signals(lambda: float("inf"))
os.kill(os.getpid(), signal.SIGIO)
signals.pause(60)
os.kill(os.getpid(), signal.SIGIO)
signals.gather()
print(signals.changed, signal.SIGIO in signal.sigpending())
os.kill(os.getpid(), signal.SIGTERM)
signals.gather()
"""


def test_edits_that_follow_each_other_are_gathered_but_an_end_is_heeded(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-c", EDITS]
    done = subprocess.run(
        command, env=environ.covered(tmp_path), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stdout == "True True\n", "the second edit waits"
    assert "Leave: SIGTERM" in done.stderr

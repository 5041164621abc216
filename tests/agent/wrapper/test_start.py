"""What an install waits for: the modules that are loaded before the command starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import environ
from tests.receiver import Receiver
from tests.wait import until

HEAVY = {
    "typing",
    "re",
    "enum",
    "dataclasses",
    "json",
    "datetime",
    "subprocess",
    "sqlite3",
    "socket",
    "requests",
}


def test_nothing_heavy_is_loaded_before_the_command_starts(tmp_path: Path) -> None:
    script = tmp_path / "install.sh"
    script.write_text("#!/bin/bash\necho the command >&2\n")
    script.chmod(0o755)
    command = [sys.executable, "-I", "-X", "importtime", "-m", "agent", "wrap", "--", str(script)]
    with Receiver() as receiver:
        settings = {
            "ROLLCALL_ENDPOINT": receiver.endpoint,
            "ROLLCALL_WRITE_KEY": "k",
            "ROLLCALL_STATE_DIR": str(tmp_path / "state"),
        }
        done = subprocess.run(
            command, env={**environ.bare(tmp_path), **settings}, capture_output=True, text=True, check=True
        )
        until(lambda: len(receiver.ids) == 2)
    before, marker, _ = done.stderr.partition("the command\n")
    assert marker
    loaded = modules(before)
    assert "agent.wrapper.run" in loaded, "the meter stands still"
    # As -m does: Python 3.9 loads more for that.
    bare = [*command[:4], "-c", "import runpy"]
    done = subprocess.run(bare, env=environ.bare(tmp_path), capture_output=True, text=True, check=True)
    assert not loaded & HEAVY - modules(done.stderr)


def modules(told: str) -> set[str]:
    lines = (line for line in told.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}

"""The command line: wrong use, errors in one line, and progress."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from collector.settings import PREFIX
from tests.collector.running import Collector
from tests.wait import until

ROOT = Path(__file__).parents[2]


def test_a_password_in_an_option_is_refused(idle: Collector) -> None:
    for url in ("postgresql://me:secret@h/d", "postgresql://h/d?user=me&password=secret"):
        done = idle.verb("keys", "list", "--db", url, code=2)
        assert "PGPASSFILE" in done.stderr
        assert "secret" not in done.stderr


def test_wrong_use_is_one_line_and_exit_code_2(idle: Collector) -> None:
    for setting, wrong in (
        ("LISTEN", "nowhere"),
        ("RATE", "fast"),
        ("TRUSTED_PROXIES", "lan"),
        ("DB", "mysql://x"),
    ):
        idle.settings = {PREFIX + setting: wrong}
        done = idle.verb("keys", "list", code=2)
        assert done.stderr.count("\n") == 1
        assert PREFIX + setting in done.stderr
    idle.settings = {}
    for wrong in ("soon", "90"):
        assert "90d, 6h" in idle.verb("purge", "--older-than", wrong, code=2).stderr
    assert "nothing" not in idle.verb("export", "/nowhere/x", code=1).stdout


def test_a_database_that_is_none_is_one_line(idle: Collector) -> None:
    Path(idle.home, "collector.db").write_bytes(b"not a database" * 100)
    assert idle.verb("keys", "list", code=1).stderr.count("\n") == 1
    done = idle.verb("keys", "list", "--db", "postgresql://127.0.0.1:1/x", code=1)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("password", "code"), [("s3cr%t-pass", 1), ("s3cr@et", 2), ("s3cr[et", 2), ("s3cr/et", 1)]
)
def test_a_password_that_breaks_its_url_is_not_shown(tmp_path: Path, password: str, code: int) -> None:
    idle = Collector(tmp_path, f"postgresql://rollcall:{password}@127.0.0.1:1/db")
    said = idle.verb("keys", "list", code=code).stderr
    assert said.count("\n") == 1
    assert "s3cr" not in said
    assert "et@" not in said


def test_who_reads_no_further_is_told_nothing(idle: Collector) -> None:
    lines = "".join(json.dumps({"event": "x", "p": "x" * 1000}) + "\n" for _ in range(500))
    idle.verb("import", "--source", "s", "-", stdin=lines)
    with idle.popen("export", "-") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(20) == 1


def test_long_work_shows_progress_on_a_terminal(idle: Collector, tmp_path: Path) -> None:
    idle.verb("import", "--source", "s", "-", stdin='{"event":"x"}\n' * 3)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "collector", "export", str(tmp_path / "out")]
    with subprocess.Popen(command, env=idle.environ(), cwd=ROOT, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        until(lambda: process.poll() is not None, 20)
        said += os.read(ours, 4096)
    os.close(ours)
    assert b"3 events written" in said

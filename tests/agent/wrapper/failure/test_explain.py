# ruff: noqa: E501 - a line of output is easier to read on one line
"""`wrap --explain`: the method, and the rule and line that keep a better one out. Nothing is run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import environ


def explained(tmp_path: Path, *argv: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-m", "agent", "wrap", "--explain", "--", *argv],
        cwd=tmp_path,
        env=environ.covered(tmp_path, ROLLCALL_STATE_DIR=str(tmp_path / "state")),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert not (tmp_path / "state").exists()
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("text", "method", "lines"),
    [
        ("set -e\ntouch ran\n", "xtrace", []),
        (
            "set -e\n[ $DEBUG ] && set -x\n",
            "traps",
            [
                "not xtrace: install.sh line 2: it uses xtrace itself, and its output would go to us (own-xtrace)"
            ],
        ),
        (
            "echo $-\n",
            "error",
            [
                "not xtrace: install.sh line 1: it looks at its options, and ours would be among them (lists-options)",
                "not traps: install.sh line 1: it looks at its options, and ours would be among them (lists-options)",
            ],
        ),
        (
            '. "$X"\n',
            "xtrace",
            [
                "until install.sh line 1: what a computed file name stands for is not known before (unknown-source)"
            ],
        ),
    ],
)
def test_it_names_method_rule_and_line(tmp_path: Path, text: str, method: str, lines: list[str]) -> None:
    (tmp_path / "install.sh").write_text(text)
    script, chosen, *rest = explained(tmp_path, "bash", "install.sh")
    assert script == "script: install.sh"
    assert chosen.startswith(f"method: {method}: ")
    assert rest == lines
    assert not (tmp_path / "ran").exists()


def test_it_says_why_there_is_nothing_to_find(tmp_path: Path) -> None:
    chosen, because = explained(tmp_path, "ls")
    assert chosen == "method: none: nothing is noted, so no place is reported"
    assert because == "because: CMD is no bash script, or has options that a trace would show in"

# ruff: noqa: E501 - a line of output is easier to read on one line
"""`wrap --explain`: the method, and the rule and line that keep a better one out. Nothing is run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import environ

ROOT = Path(__file__).parents[3]
NO_TRACE = "because: CMD is no bash script, or has options that a trace would show in"


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


def test_what_cannot_be_written_runs_nothing_either(tmp_path: Path) -> None:
    (tmp_path / "install.sh").write_text("touch ran\n")
    wrap = [sys.executable, "-I", "-m", "agent", "wrap", "--explain", "--", "bash", "install.sh"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >/dev/full', "x", *wrap],
        cwd=tmp_path,
        env=environ.covered(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    said = "rollcall: nothing is explained, and nothing was run: No space left on device\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
    assert not (tmp_path / "ran").exists()


def test_it_says_why_there_is_nothing_to_find(tmp_path: Path) -> None:
    chosen, because, exits = explained(tmp_path, "ls")
    assert chosen == "method: none: nothing is noted, so no place is reported"
    assert because == NO_TRACE
    assert exits == "not exits: CMD is no shell script, or its shell has options that are not known"


@pytest.mark.needs("root", "taskstats")
def test_it_says_what_root_is_told_of_a_script_of_sh(tmp_path: Path) -> None:
    (tmp_path / "install.sh").write_text("#!/bin/sh\nset -e\ntouch ran\nfalse\n")
    (tmp_path / "install.sh").chmod(0o755)
    says = "the kernel tells which programs end: the one that failed where that is certain, and no line"
    assert explained(tmp_path, "./install.sh") == ["script: ./install.sh", f"method: exits: {says}", NO_TRACE]
    assert explained(tmp_path, "sh", "-c", "touch ran") == [f"method: exits: {says}", NO_TRACE]
    (tmp_path / "install.sh").write_text("set -v\ntrap -p\n")
    script, method, *rest = explained(tmp_path, "bash", "install.sh")
    assert (script, method) == ("script: install.sh", f"method: exits: {says}")
    assert [line.partition(":")[0] for line in rest][-1] == "not error", (
        "what keeps the trace out is said too"
    )
    assert not (tmp_path / "ran").exists()


WHY_NOT = """
import os, sys
from agent.wrapper import explain
from agent.wrapper.process.caller import Environment
{first}
print(explain.explain([word.encode() for word in sys.argv[1:]], Environment([b"PATH=/usr/bin:/bin"])), end="")
"""


@pytest.mark.needs("root")
@pytest.mark.parametrize(
    ("first", "argv", "why"),
    [
        ("os.setuid(65534)", ("sh", "-c", "false"), "the kernel tells only root which programs end"),
        ("", ("sh",), "the script's text is not known before: it comes from a pipe, or cannot be read"),
        ("", ("sh", "-c", "# " + "x" * 70_000), "the script is larger than 64 KiB"),
    ],
    ids=["not root", "from a pipe", "too large"],
)
def test_it_says_why_nothing_is_told_of_a_script_of_sh(first: str, argv: tuple[str, ...], why: str) -> None:
    program = WHY_NOT.format(first=first or "from agent.wrapper.exits import exits; exits.MAX_TEXT = 65536")
    done = subprocess.run(
        [sys.executable, "-c", program, *argv],
        cwd=ROOT, env=environ.bare("/"), stdin=subprocess.PIPE, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert said[-3:] == [
        "method: none: nothing is noted, so no place is reported",
        NO_TRACE,
        f"not exits: {why}",
    ]

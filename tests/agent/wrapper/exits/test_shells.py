"""Which CMD is a shell script, and what its text and options are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.wrapper.exits.shells import Script, script_of
from agent.wrapper.process.caller import Environment


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "bash", "busybox"):
        (programs / name).write_bytes(b"\x7fELF\0")
        (programs / name).chmod(0o755)


def found(words: str) -> Script | None:
    argv = [word.encode() for word in words.split()]
    return script_of(argv, Environment([b"PATH=" + os.fsencode(os.getcwd()) + b"/bin"]))


def program(name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    Path(name).chmod(0o755)


@pytest.mark.parametrize(
    ("words", "options", "arguments"),
    [
        ("sh x.sh a b", b"", ["x.sh", "a", "b"]),
        ("sh -eu x.sh", b"eu", ["x.sh"]),
        ("sh -e -- x.sh", b"e", ["x.sh"]),
        ("sh +e x.sh", b"", ["x.sh"]),
        ("sh -o errexit x.sh", b"e", ["x.sh"]),
        ("sh +o errexit x.sh", b"", ["x.sh"]),
        ("bash -euo pipefail x.sh", b"eu", ["x.sh"]),
        ("busybox sh -e x.sh", b"e", ["x.sh"]),
    ],
)
def test_a_shells_options_and_arguments_are_told_apart(
    words: str, options: bytes, arguments: list[str]
) -> None:
    Path("x.sh").write_bytes(b"true\n")
    script = found(words)
    assert script is not None
    assert (script.text, script.options, script.arguments) == (b"true\n", options, arguments)


@pytest.mark.parametrize(
    "words",
    [
        "sh -o posix x.sh",
        "sh -i x.sh",
        "sh --login x.sh",
        "sh -c",
        "sh bin",
        "sh nosuch",
        "busybox",
        "bin",
        "nosuch",
    ],
)
def test_where_the_text_cannot_be_told_there_is_no_script(words: str) -> None:
    Path("x.sh").write_bytes(b"true\n")
    assert found(words) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"#!/bin/sh -e\ntrue", b"e"),
        (b"#! /usr/bin/env bash\ntrue", b""),
        (b"true", b""),
        (b"#!/usr/bin/python3\n", None),
        (b"#!\ntrue", None),
        (b"\x7fELF\0", None),
        (b"", None),
    ],
)
def test_the_first_line_of_a_program_decides(content: bytes, expected: bytes | None) -> None:
    program("x", content)
    script = found("./x a")
    assert (script.options if script else None) == expected
    assert script is None or (script.text, script.arguments) == (content, ["./x", "a"])


def test_a_text_on_standard_input_is_read_from_where_it_stands_and_stays(tmp_path: Path) -> None:
    Path("x.sh").write_bytes(b"first\nsecond\n")
    kept = os.dup(0)
    try:
        with open("x.sh", "rb", buffering=0) as file:
            file.seek(6)
            os.dup2(file.fileno(), 0)
        script = found("sh -s a")
        assert script is not None
        assert (script.text, script.arguments) == (b"second\n", ["a"])
        assert os.lseek(0, 0, os.SEEK_CUR) == 6
        hear, tell = os.pipe()
        os.dup2(hear, 0)
        os.close(hear)
        os.close(tell)
        assert found("sh") is None
        os.close(0)
        assert found("sh -e") is None
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_what_can_be_opened_but_not_read_is_no_script() -> None:
    assert found("sh /proc/self/mem") is None

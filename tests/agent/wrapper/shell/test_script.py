"""Which CMD is a shell script, with which options, and its text, or that it is left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.wrapper.process.caller import Environment
from agent.wrapper.shell.script import MAX_TEXT, ShellRun, read_text, shell_run


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dash", "bash", "busybox"):
        (programs / name).write_bytes(b"\x7fELF\0")
        (programs / name).chmod(0o755)
    (programs / "sh").symlink_to("dash")


@pytest.fixture
def stdin() -> Iterator[int]:
    """A copy of stdin, which is put back."""
    kept = os.dup(0)
    yield kept
    os.dup2(kept, 0)
    os.close(kept)


def found(words: str) -> ShellRun | None:
    argv = [word.encode() for word in words.split(" ")]
    return shell_run(argv, Environment([b"PATH=" + os.fsencode(os.getcwd()) + b"/bin"]))


def program(name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    Path(name).chmod(0o755)


@pytest.mark.parametrize(
    ("words", "options", "path", "arguments"),
    [
        ("sh x.sh a b", "", "x.sh", "a b"),
        ("sh -eu x.sh", "e u", "x.sh", ""),
        ("sh -e -- x.sh -x", "e", "x.sh", "-x"),
        ("sh -e +e x.sh", "", "x.sh", ""),
        ("sh -o errexit x.sh", "e", "x.sh", ""),
        ("sh +o errexit x.sh", "", "x.sh", ""),
        ("/bin/bash -euo pipefail --norc x.sh", "e pipefail u", "x.sh", ""),
        ("busybox sh -e x.sh", "e", "x.sh", ""),
        ("bash", "", "", ""),
        ("bash -", "", "", ""),
        ("bash -s -- a", "s", "", "a"),
    ],
)
def test_a_shells_options_and_arguments_are_told_apart(
    words: str, options: str, path: str, arguments: str
) -> None:
    Path("x.sh").write_bytes(b"true\n")
    run = found(words)
    assert run is not None
    told = (b" ".join(sorted(run.options)), run.path, b" ".join(run.arguments))
    assert told == (options.encode(), path.encode(), arguments.encode())
    assert run.text() == b"true\n" or not path


def test_a_text_on_the_command_line_is_the_script() -> None:
    run = found("sh -ec true name word")
    assert run is not None
    assert (run.text(), run.arguments) == (b"true", [b"word"])


@pytest.mark.parametrize(
    ("words", "shell", "program"), [("sh -c x", b"sh", b"dash"), ("busybox ash -c x", b"ash", b"busybox")]
)
def test_what_program_a_shell_truly_is(words: str, shell: bytes, program: bytes) -> None:
    run = found(words)
    assert run is not None
    assert (run.shell, run.program) == (shell, program)


@pytest.mark.parametrize(
    "words",
    [
        *("sh -o posix x.sh", "sh -eo", "sh -i x.sh", "sh --login x.sh", "sh -c", "sh bin", "sh nosuch"),
        *("sh  x", "busybox", "bin", "nosuch"),
    ],
)
def test_where_the_text_cannot_be_told_there_is_no_script(words: str) -> None:
    Path("x.sh").write_bytes(b"true\n")
    assert found(words) is None


@pytest.mark.parametrize(
    ("content", "shell", "options"),
    [
        (b"#!/bin/sh -e\ntrue", b"sh", {b"e"}),
        (b"#! /usr/bin/env bash\ntrue", b"bash", set()),
        (b"true", b"sh", set()),
        (b"#!/usr/bin/env -S bash", None, None),
        (b"#!/usr/bin/python3\n", None, None),
        (b"#!\ntrue", None, None),
        (b"\x7fELF\0", None, None),
        (b"", None, None),
    ],
)
def test_the_first_line_of_a_program_decides(
    content: bytes, shell: bytes | None, options: set[bytes] | None
) -> None:
    program("x", content)
    run = found("./x a")
    assert (run and run.shell, run.options if run else None) == (shell, options)
    assert run is None or (run.text(), run.path, run.arguments) == (content, b"./x", [b"a"])


def test_a_text_on_standard_input_is_read_from_where_it_stands_and_stays(stdin: int) -> None:
    Path("x.sh").write_bytes(b"first\nsecond\n")
    with open("x.sh", "rb", buffering=0) as file:
        file.seek(6)
        os.dup2(file.fileno(), 0)
    run = found("sh -s a")
    assert run is not None
    assert (run.text(), run.arguments) == (b"second\n", [b"a"])
    assert os.lseek(0, 0, os.SEEK_CUR) == 6
    os.truncate("x.sh", MAX_TEXT + 6)
    assert run.text() is None


def test_a_pipe_or_nothing_on_stdin_has_no_text(stdin: int) -> None:
    run = found("sh")
    assert run is not None
    read, write = os.pipe()
    os.write(write, b"true\n")
    os.dup2(read, 0)
    assert run.text() is None
    assert os.read(0, 99) == b"true\n"
    os.close(read)
    os.close(write)
    os.close(0)
    assert run.text() is None


def test_what_is_no_file_has_no_text() -> None:
    os.mkfifo("fifo")
    for name in (b"fifo", b"nosuch", b".", b"/proc/self/mem"):
        assert read_text(name) is None
    Path("large").write_bytes(b"#" * MAX_TEXT)
    assert read_text(b"large") is None
    Path("fits").write_bytes(b"#\n")
    assert read_text(b"fits") == b"#\n"


@pytest.mark.parametrize("call", ["read", "open"])
def test_a_program_whose_first_line_cannot_be_read_is_no_script(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    program("x", b"#!/bin/bash\n")
    assert found("./x") is not None

    def refuse(*_: object) -> bytes:
        raise OSError

    with monkeypatch.context() as changed:
        changed.setattr(os, call, refuse)
        run = found("./x")
    assert run is None

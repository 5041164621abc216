"""Texts of scripts that are read, or left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.wrapper.failure.script import MAX_TEXT, read_text, script_of, text_of
from agent.wrapper.process.caller import Environment

ENVIRONMENT = Environment([b"PATH=/usr/bin:/bin"])


@pytest.fixture
def stdin() -> Iterator[int]:
    """A copy of stdin, which is put back."""
    kept = os.dup(0)
    yield kept
    os.dup2(kept, 0)
    os.close(kept)


def test_a_regular_file_on_stdin_is_read_from_where_bash_reads_on(tmp_path: Path, stdin: int) -> None:
    path = tmp_path / "install.sh"
    path.write_text("one\ntwo\n")
    fd = os.open(path, os.O_RDONLY)
    os.dup2(fd, 0)
    os.close(fd)
    os.lseek(0, 4, os.SEEK_SET)
    assert text_of(b"") == b"two\n"
    assert os.lseek(0, 0, os.SEEK_CUR) == 4
    os.truncate(path, MAX_TEXT + 4)
    assert text_of(b"") is None


def test_a_pipe_or_nothing_on_stdin_has_no_text(stdin: int) -> None:
    read, write = os.pipe()
    os.write(write, b"true\n")
    os.dup2(read, 0)
    assert text_of(b"") is None
    assert os.read(0, 99) == b"true\n"
    os.close(read)
    os.close(write)
    os.close(0)
    assert text_of(b"") is None


def test_what_is_no_file_has_no_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "nosuch", "."):
        assert read_text(os.fsencode(tmp_path / name)) is None
    (tmp_path / "large").write_bytes(b"#" * MAX_TEXT)
    assert read_text(os.fsencode(tmp_path / "large")) is None
    (tmp_path / "fits").write_bytes(b"#\n")
    assert read_text(os.fsencode(tmp_path / "fits")) == b"#\n"


def test_a_program_whose_first_line_cannot_be_read_is_no_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "install"
    path.write_text("#!/bin/bash\n")
    path.chmod(0o755)
    assert script_of([bytes(path)], ENVIRONMENT) == bytes(path)

    def refuse(*_: object) -> bytes:
        raise OSError

    for call in ("read", "open"):
        with monkeypatch.context() as changed:
            changed.setattr(os, call, refuse)
            found = script_of([bytes(path)], ENVIRONMENT)
        assert found is None

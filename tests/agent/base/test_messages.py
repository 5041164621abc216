from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.base.messages import counted, print_message, printable, product_name, typed_command, write_message


@given(st.text(st.characters()))
def test_whatever_others_wrote_is_one_harmless_line(text: str) -> None:
    assert printable(text).isprintable()


def test_what_is_harmless_stays() -> None:
    assert printable("/srv/Müller/docker.env:3") == "/srv/Müller/docker.env:3"
    assert printable("\x1b[2J\n\udcff") == "\\x1b[2J\\n\\udcff"


def test_a_line_is_one_harmless_line_whatever_it_names() -> None:
    said = io.StringIO()
    print_message("\x1b[2J/docker.env\nrollcall: all is well", said)
    assert said.getvalue() == "rollcall: \\x1b[2J/docker.env\\nrollcall: all is well\n"


def test_a_line_bears_the_name_of_this_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rollcall.name").write_text("rollcall-acme-board\n")
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    said = io.StringIO()
    print_message("well", said)
    assert said.getvalue() == "rollcall-acme-board: well\n"


def test_a_container_says_each_message_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_LOG_FORMAT", "json")
    said = io.StringIO()
    print_message("silent: \x1b[2J\n", said)
    assert said.getvalue().count("\n") == 1
    line = json.loads(said.getvalue())
    assert (line["name"], line["message"]) == ("rollcall", "silent: \x1b[2J\n")
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    print_message("silent", terminal)
    assert terminal.getvalue() == "rollcall: silent\n"


def test_a_message_is_written_though_python_has_no_stream_and_lost_where_stderr_is_closed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_message("\x1b[2J\udcff")
    assert capfd.readouterr().err == "\\x1b[2J\\udcff\n"
    closed = os.dup(2)
    os.close(2)
    try:
        write_message("nobody reads this")
    finally:
        os.dup2(closed, 2)
        os.close(closed)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (None, "rollcall"),
        ("rollcall-shop\n", "rollcall-shop"),
        ("rollcall-my-shop2", "rollcall-my-shop2"),
        ("rollcall", "rollcall"),
        ("../../etc", "rollcall"),
        ("rollcall-../x", "rollcall"),
        ("rollcall-", "rollcall"),
        ("rollcall-é", "rollcall"),
    ],
)
def test_the_name_is_what_install_wrote_if_it_is_sane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str | None, name: str
) -> None:
    if written is not None:
        (tmp_path / "rollcall.name").write_text(written, encoding="utf-8")
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert product_name() == name


def test_one_is_counted_as_one() -> None:
    said = [counted(number, "event is", "events are") for number in (0, 1, 2)]
    assert said == ["0 events are", "1 event is", "2 events are"]


def test_a_command_that_path_does_not_find_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert typed_command("/usr/bin") == ""
    (tmp_path / "rollcall.command").write_text("/home/of Jörg/.local/bin/rollcall\n", encoding="utf-8")
    assert typed_command("/usr/bin:/bin") == "/home/of Jörg/.local/bin/rollcall"
    assert typed_command("") == "/home/of Jörg/.local/bin/rollcall"
    assert typed_command("/usr/bin:/home/of Jörg/.local/bin/") == ""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agent.wrapper.process.caller import Environment
from agent.wrapper.process.command import CannotRun, exec_command, execve_odd, places


def environment(path: str | None) -> Environment:
    return Environment([] if path is None else [b"PATH=" + path.encode()])


def test_path_is_searched_as_a_shell_does() -> None:
    assert places(b"x", environment("/a::/b")) == [b"/a/x", b"./x", b"/b/x"]
    assert places(b"./x", environment("/a")) == [b"./x"]
    assert places(b"", environment("/a")) == [b""]
    assert places(b"x", environment(None))[-1] == b"/bin/x"


@pytest.mark.parametrize(
    ("word", "code", "why"),
    [
        ("", 127, "command not found"),
        ("nosuch", 127, "command not found"),
        ("{}/nosuch", 127, "No such file or directory"),
        ("{}/folder", 126, "Is a directory"),
        ("folder", 127, "command not found"),
        ("plain", 126, "Permission denied"),
        ("{}/plain", 126, "Permission denied"),
        ("{}/plain/below", 126, "Not a directory"),
        ("{}/binary", 126, "cannot execute binary file: Exec format error"),
        ("{}/orphan", 127, "cannot execute: required file not found"),
    ],
)
@pytest.mark.parametrize("odd", [False, True])
def test_what_cannot_be_run_says_why(tmp_path: Path, word: str, code: int, why: str, *, odd: bool) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("echo x")
    for name, content in (("binary", b"\0\1\2\n"), ("orphan", b"#!/nosuch/shell\n")):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    given = environment(str(tmp_path))
    if odd:
        given.entries.append(b"ODD")
    found = exec_command([word.format(tmp_path).encode()], given)
    assert isinstance(found, CannotRun)
    assert (found.code, found.why) == (code, why)


def test_a_script_that_may_not_be_read_is_no_script(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Permission denied") as caught:
        execve_odd(os.fsencode(tmp_path), [b"x"], [b"ODD"])
    assert caught.value.errno == errno.EACCES

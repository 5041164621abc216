"""Which files a script is known to source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.wrapper.failure import sources
from agent.wrapper.process.caller import Environment
from agent.wrapper.shell.script import MAX_TEXT


def sourced(folder: Path, text: str, home: str = "") -> tuple[list[str], int]:
    """The names of the files, and how many commands source what is not known."""
    script = folder / "install.sh"
    script.write_text(text)
    looks = sources.looks(bytes(script), text.encode(), Environment([f"HOME={home}".encode()]))
    names = [os.path.basename(look.source).decode() for look in looks[1:]]
    return names, sum(len(look.unknown) for look in looks)


@pytest.mark.parametrize(
    ("text", "files", "unknown"),
    [
        (". {folder}/lib.sh\n", ["lib.sh"], 0),
        ("source lib.sh\n", ["lib.sh"], 0),
        (". lib.sh\n. ./lib.sh\n", ["lib.sh"], 0),
        (". ./install.sh\n", [], 0),
        (".\n", [], 0),
        (". ./nosuch.sh\n", [], 1),
        (". /etc/no-such-file\n", [], 0),
        ('. "$HOME/lib.sh"\n', ["lib.sh"], 0),
        (". ${{HOME}}/lib.sh\n", ["lib.sh"], 0),
        ("HOME=$1\n. $HOME/lib.sh\n", [], 1),
        ('. "$(dirname "$0")/lib.sh"\n', ["lib.sh"], 0),
        ('. "$(dirname "$0")/$x.sh"\n', [], 1),
        ("D=$(dirname $0)\n. $D/lib.sh\n", ["lib.sh"], 0),
        ('D=$(cd -- "$(dirname "$0")" >/dev/null 2>&1 && pwd -P)\n. $D/lib.sh\n', ["lib.sh"], 0),
        ("D=$(dirname $0)\nD=$1\n. $D/lib.sh\n", [], 1),
        ("D=$1\n. $D/lib.sh\n", [], 1),
        (". $D.sh\n", [], 1),
        (". $(x)/lib.sh\n", [], 1),
        (". x$D/lib.sh\n", [], 1),
        (". ${{D:-x}}/lib.sh\n", [], 1),
        ("for i in 1; do . ./a.sh; done\n", ["a.sh", "lib.sh"], 0),
    ],
)
def test_a_file_is_found_or_said_to_be_unknown(
    tmp_path: Path, text: str, files: list[str], unknown: int
) -> None:
    (tmp_path / "lib.sh").write_text("true\n")
    (tmp_path / "a.sh").write_text(". $(dirname $BASH_SOURCE)/lib.sh\n")
    assert sourced(tmp_path, text.format(folder=tmp_path), str(tmp_path)) == (files, unknown)


def test_of_very_many_files_some_are_unknown(tmp_path: Path) -> None:
    names = [f"{n}.sh" for n in range(sources.MAX_FILES + 3)]
    for name in names:
        (tmp_path / name).write_text("true\n")
    files, unknown = sourced(tmp_path, "".join(f". ./{name}\n" for name in names))
    assert files == names[: sources.MAX_FILES]
    assert unknown == 3


def test_of_very_much_text_some_is_unknown(tmp_path: Path) -> None:
    for name in ("a.sh", "b.sh"):
        (tmp_path / name).write_bytes(b"#" * (MAX_TEXT * 2 // 3))
    assert sourced(tmp_path, ". ./a.sh\n. ./b.sh\n")[1] == 1

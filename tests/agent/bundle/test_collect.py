"""What support.list may name, who may write it, and the limits of what it brings in."""

import os
import sys
from pathlib import Path

import pytest

from agent.bundle import collect as module
from agent.bundle.collect import Piece, collect, resolve, run_limited, within_limit
from agent.bundle.pack import make_tar, report
from agent.bundle.support_list import Command, Files, ListError, read_support_list

TEXT = """# what we ask for
file /var/log/shop/*.log

tail 2 /var/log/app log
command ps: ps -e -o 'pid comm'
"""


def listed(folder: Path, text: str, mode: int = 0o644) -> str:
    path = folder / "support.list"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.needs("root")
def test_a_list_of_root_is_read(tmp_path: Path) -> None:
    assert read_support_list(listed(tmp_path, TEXT)) == [
        Files("/var/log/shop/*.log"),
        Files("/var/log/app log", 2),
        Command("ps", ("ps", "-e", "-o", "pid comm")),
    ]


def test_where_there_is_no_list_nothing_is_asked_for(tmp_path: Path) -> None:
    assert read_support_list(str(tmp_path / "support.list")) == []


@pytest.mark.needs("root")
@pytest.mark.parametrize(
    "line",
    ["file relative", "tail /x", "tail -1 /x", "command ps", "command a/b: ps", "command x: 'a", "run x: y"],
)
def test_a_line_that_is_none_of_the_three_is_named(tmp_path: Path, line: str) -> None:
    path = listed(tmp_path, f"# fine\n{line}\n")
    with pytest.raises(ListError, match=f"{path}:2 is none of"):
        read_support_list(path)


@pytest.mark.needs("root")
def test_a_list_that_another_user_owns_or_may_write_is_not_heeded(tmp_path: Path) -> None:
    for mode in (0o664, 0o646):
        with pytest.raises(ListError, match="must belong to root"):
            read_support_list(listed(tmp_path, TEXT, mode))
    path = listed(tmp_path, TEXT)
    os.chown(path, 65534, 0)
    with pytest.raises(ListError, match="must belong to root"):
        read_support_list(path)


def test_files_are_taken_whole_or_by_their_last_lines(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("1\n2\n3\n")
    (tmp_path / "b.log").write_bytes(b"\xff\n")
    whole, odd = collect([Files("/*.log"), Files("/a.log", 2)], str(tmp_path))
    tail, none = collect([Files("/a*", 2), Files("/c")], str(tmp_path))
    assert whole == Piece("files/a.log", "1\n2\n3\n")
    assert odd.text == "\ufffd\n"
    assert tail.text == "2\n3\n"
    assert none == Piece("files/c", "", "no such file")


def test_a_name_that_is_no_text_or_would_control_a_terminal_is_escaped(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.log")).write_text("1\n")
    (tmp_path / "x\x1b[2J\n.log").write_text("2\n")
    pieces = collect([Files("/*.log")], str(tmp_path))
    assert pieces == [Piece(r"files/caf\udce9.log", "1\n"), Piece(r"files/x\x1b[2J\n.log", "2\n")]
    shown = report(pieces, {})
    assert len(shown.splitlines()) == 5
    assert make_tar(pieces, shown, 0.0)


def test_a_name_stays_one_that_a_disk_takes(tmp_path: Path) -> None:
    """Else the vendor could unpack nothing of the bundle."""
    for number in (1, 2):
        (tmp_path / os.fsdecode(b"\xe9" * 100 + b"%d.log" % number)).write_text("1\n")
    names = [piece.name for piece in collect([Files("/*.log")], str(tmp_path))]
    assert [name[-5:] for name in names] == ["1.log", "2.log"]
    assert all(len(name.encode()) <= len("files/") + module.LONGEST_PART for name in names)
    assert len(names) == 2


def test_what_is_not_there_has_a_name_that_can_be_unpacked_too(tmp_path: Path) -> None:
    """The vendor refuses a bundle with a name that leads elsewhere or would control a terminal."""
    pieces = collect([Files("/log/../a*"), Files("/b\tc"), Files("/d/")], str(tmp_path))
    assert [piece.name for piece in pieces] == ["files/a*", r"files/b\tc", "files/d"]
    assert {piece.note for piece in pieces} == {"no such file"}


def test_of_a_large_file_the_end_is_taken_and_said(tmp_path: Path) -> None:
    size = module.MAX_PIECE + 10
    (tmp_path / "a.log").write_text("x" * (size - 1) + "y")
    (piece,) = collect([Files("/a.log")], str(tmp_path))
    assert (len(piece.text), piece.text[-1]) == (module.MAX_PIECE, "y")
    assert piece.note == f"only the last {module.MAX_PIECE} of {size} bytes"


def test_what_is_cut_begins_and_ends_with_whole_lines(tmp_path: Path) -> None:
    """Half of a secret that stands in the other lines would be found by nobody."""
    rest = "y" * (module.MAX_PIECE - 8) + "\n"
    (tmp_path / "a.log").write_text(f"PASSWORD=hunter2\n{rest}")
    (piece,) = collect([Files("/a.log")], str(tmp_path))
    assert piece.text == rest
    assert piece.note == f"only the last {len(rest)} of {len(rest) + 17} bytes"
    assert [piece.text for piece in within_limit([Piece("a", "12\n34\n")], 4)] == ["34\n"]
    data, note = run_limited(["printf", r"1\n23"], {"PATH": module.PATH}, most=3)
    assert (data, note) == (b"1\n", "only the first 2 bytes")


def test_what_is_no_regular_file_is_not_opened_for_long(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (piece,) = collect([Files("/*")], str(tmp_path))
    assert piece == Piece("files/pipe", "", "not taken: it is no regular file")


@pytest.mark.needs("root")
def test_a_link_of_a_user_leads_to_no_file_of_another(tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text("of root")
    (tmp_path / "own").write_text("of the user")
    for name, target in (("planted.log", "shadow"), ("current.log", "own")):
        os.symlink(tmp_path / target, tmp_path / name)
        os.chown(tmp_path / name, 65534, 65534, follow_symlinks=False)
    os.chown(tmp_path / "own", 65534, 65534)
    current, planted = collect([Files("/*.log")], str(tmp_path))
    assert current.text == "of the user"
    assert planted == Piece("files/planted.log", "", "not taken: a link of another user leads to it")
    os.chown(tmp_path / "planted.log", 0, 0, follow_symlinks=False)
    assert collect([Files("/planted.log")], str(tmp_path))[0].text == "of root"


def test_a_path_is_resolved_as_the_system_does(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("text")
    for name, target in (("up", "a/b/../b"), ("whole", str(tmp_path / "up")), ("loop", "loop")):
        (tmp_path / name).symlink_to(target)
    for path in ("a/b/file", "up/file", "whole/file", "whole/../b/./file"):
        place = str(tmp_path / path)
        assert resolve(place)[0] == os.path.realpath(place)
    assert resolve(str(tmp_path / "whole/file"))[1] == {os.geteuid()}
    with pytest.raises(OSError, match="too many links"):
        resolve(str(tmp_path / "loop"))


@pytest.mark.needs("root")
def test_a_folder_that_a_user_replaces_by_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shadow").write_text("of root")
    os.symlink(tmp_path / "etc", tmp_path / "log")
    os.chown(tmp_path / "log", 65534, 65534, follow_symlinks=False)
    (piece,) = collect([Files("/log/shadow")], str(tmp_path))
    assert piece.note == "not taken: a link of another user leads to it"


def test_a_command_gets_no_shell_no_input_and_none_of_our_variables() -> None:
    (piece,) = collect([Command("echo", ("echo", "$HOME", ";", "id"))])
    assert piece == Piece("commands/echo.txt", "$HOME ; id\n")
    (piece,) = collect([Command("env", ("env",))])
    assert {line.partition("=")[0] for line in piece.text.splitlines()} <= {"PATH", "LANG", "LC_CTYPE"}
    (piece,) = collect([Command("cat", ("cat",))])
    assert piece == Piece("commands/cat.txt", "")


def test_a_command_that_fails_or_is_not_there_says_so() -> None:
    failed, absent = collect([Command("a", ("sh", "-c", "echo no; exit 3")), Command("b", ("/no/such",))])
    assert (failed.text, failed.note) == ("no\n", "it ended with exit code 3")
    assert absent.note == "not run: No such file or directory"


def test_a_command_without_end_is_ended_with_its_children() -> None:
    script = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    data = b""
    for seconds in (1, 4, 16, 64):  # until it has begun
        data, note = run_limited([sys.executable, "-c", script], {}, seconds=seconds)
        assert note == f"ended after {seconds} s"
        if data:
            break
    with pytest.raises(ProcessLookupError):
        os.kill(int(data), 0)
    data, note = run_limited(["yes"], {"PATH": module.PATH})
    assert (len(data), note) == (module.MAX_PIECE, f"only the first {module.MAX_PIECE} bytes")


def test_a_command_that_closes_its_output_and_goes_on_is_ended_too() -> None:
    words = ["sh", "-c", "exec >/dev/null 2>&1; sleep 600"]
    assert run_limited(words, {"PATH": module.PATH}, seconds=2) == (b"", "ended after 2 s")


def test_a_full_bundle_keeps_the_end_of_what_does_not_fit() -> None:
    kept = within_limit([Piece("a", "1234"), Piece("b", "12345678"), Piece("c", "1")], 10)
    assert [piece.text for piece in kept] == ["1234", "345678", ""]
    assert kept[1].note == "only the last 6 of 8 bytes: the bundle is full"

from __future__ import annotations

import errno
import os
import re
from io import StringIO
from pathlib import Path

import pytest
from dotenv.parser import Binding, parse_stream
from hypothesis import example, given
from hypothesis import strategies as st

from agent.config import envedit
from agent.config.flags import is_flag
from tests.parts import NOBODY

NAME = "ROLLCALL_DISABLE_TELEMETRY"
pieces = st.one_of(
    st.text(),
    st.sampled_from([NAME, "DO_NOT_TRACK", "=", "true", "'", '"', "\\", "\n", "\r\n", "\r", " ", "\t", "#"]),
    st.sampled_from(
        ["export ", "\ufeff", "\u2028", "\x0b", "\x85", f"{NAME}=1\n", f"{NAME}\n", "A='x\ny'\n"]
    ),
    st.sampled_from([f"export {NAME} = 'x' # why\r\n", f"'{NAME}'=\"a\nb\"\n"]),
)
texts = st.lists(pieces, max_size=12).map("".join)


def bindings(text: str) -> list[Binding]:
    return list(parse_stream(StringIO(text.removeprefix(envedit.BOM), newline="")))


def values(text: str, name: str) -> list[str | None]:
    return [b.value for b in bindings(text) if b.key == name and not b.error]


def others(text: str) -> list[str]:
    """What is left of the file when our lines and the blank lines between are taken away."""
    return [b.original.string.strip() for b in bindings(text) if b.key != NAME and b.original.string.strip()]


@given(texts)
@example(f"{NAME}='a\\'b'#c\n")
@example(f"A=1\r{NAME}=2\rB=3")
def test_after_set_value_the_parser_reads_exactly_the_value(text: str) -> None:
    after = envedit.with_value(text, NAME, "true")
    assert values(after, NAME) == ["true"]


@given(texts)
def test_set_value_keeps_everything_else_byte_for_byte_and_in_order(text: str) -> None:
    after = envedit.with_value(text, NAME, "true")
    assert others(after) == others(text)


@given(texts)
@example("\ufeff\ufeff\ufeff")
def test_set_value_twice_is_as_once(text: str) -> None:
    once = envedit.with_value(text, NAME, "true")
    assert envedit.with_value(once, NAME, "true") == once


@given(texts)
@example("DO_NOT_TRACK\r\ufeffexport DO_NOT_TRACK")
def test_after_remove_flags_there_is_no_flag(text: str) -> None:
    after = envedit.without_flags(text)
    assert not [b for b in bindings(after) if b.key and is_flag(b.key.strip("'\"")) and not b.error]


@given(st.lists(st.sampled_from(["A=1\n", "# DO_NOT_TRACK=1\n", "\n", "B='x\ny'\n", "broken line\n", "C=3"])))
def test_remove_flags_leaves_a_file_without_flags_alone(lines: list[str]) -> None:
    text = "".join(lines)
    assert envedit.without_flags(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{NAME}=true\n"),
        ("A=1", f"A=1\n{NAME}=true\n"),
        ("A=1\r\n", f"A=1\r\n{NAME}=true\r\n"),
        (f"# mine\n{NAME}=0\nB=2\n", f"# mine\n{NAME}=true\nB=2\n"),
        (f"export {NAME}='no'  # for now\n", f"export {NAME}=true  # for now\n"),
        (f"{NAME}=1\nA=1\n{NAME}=2\n", f"{NAME}=true\nA=1\n"),
        (f"{NAME}\n", f"{NAME}=true\n"),
        ("\ufeff\ufeff# mine\n", f"\ufeff\ufeff# mine\n{NAME}=true\n"),
        (f'\ufeffA=1\n\n\n{NAME}="a\nb"\n', f"\ufeffA=1\n\n\n{NAME}=true\n"),
    ],
)
def test_one_line_is_changed_where_it_stands(before: str, after: str) -> None:
    assert envedit.with_value(before, NAME, "true") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A=1\nDO_NOT_TRACK=1\nB=2\n", "A=1\nB=2\n"),
        ("\ufeffDO_NOT_TRACK=1\nB=2", "\ufeffB=2"),
        ("# why\n\nexport X_DISABLE_TELEMETRY='a\nb'\n# then\n", "# why\n\n# then\n"),
        ("DO_NOT_TRACK\n", ""),
    ],
)
def test_flags_go_and_their_neighbours_stay(before: str, after: str) -> None:
    assert envedit.without_flags(before) == after


@pytest.mark.parametrize("text", ["A=1\n", None])
def test_an_edit_undoes_no_other_that_came_meanwhile(tmp_path: Path, text: str | None) -> None:
    """Who refuses while another process is about to write the file has refused."""
    path = tmp_path / "docker.env"
    if text is not None:
        path.write_text(text)
    others = iter([NAME])

    def change(before: str) -> str:
        for other in others:
            envedit.set_value(str(path), other, "true")
        return envedit.with_value(before, "ROLLCALL_PRODUCT", "Shop")

    envedit._edit(str(path), change)
    assert path.read_text() == f"{text or ''}{NAME}=true\nROLLCALL_PRODUCT=Shop\n"
    assert os.listdir(tmp_path) == ["docker.env"]


def test_a_file_that_never_rests_is_said(tmp_path: Path) -> None:
    path = tmp_path / "docker.env"
    written: list[str] = []

    def change(before: str) -> str:
        written.append("x")
        path.write_text("".join(written))
        return f"{before}y"

    with pytest.raises(envedit.EditError, match="other processes change it all the time; try again"):
        envedit._edit(str(path), change)
    assert path.read_text() == "x" * envedit.TRIES
    assert os.listdir(tmp_path) == ["docker.env"]


def test_mode_owner_and_a_symlinks_target_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "real.env", tmp_path / "docker.env"
    target.write_bytes(b"A=1\xff\r\n")
    target.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(target, 1234, 4321)
    before = target.stat()
    link.symlink_to("real.env")
    envedit.set_value(str(link), NAME, "true")
    after = target.stat()
    assert link.is_symlink()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert target.read_bytes() == b"A=1\xff\r\n" + NAME.encode() + b"=true\r\n"
    assert sorted(os.listdir(tmp_path)) == ["docker.env", "real.env"]


@pytest.mark.needs("root")
def test_a_directory_that_hands_its_group_down_does_not_change_the_files(tmp_path: Path) -> None:
    path = tmp_path / "docker.env"
    path.write_text("PASSWORD=x\n")
    path.chmod(0o640)
    os.chown(tmp_path, 0, 4321)
    tmp_path.chmod(0o2755)
    envedit.set_value(str(path), NAME, "true")
    assert path.stat().st_gid == 0


def test_a_new_file_is_its_owners_alone_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "rollcall" / "docker.env"
    envedit.set_value(str(path), NAME, "true")
    assert path.read_text() == f"{NAME}=true\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_to_change_leaves_the_very_file(tmp_path: Path) -> None:
    path = tmp_path / "docker.env"
    path.write_text("A=1\n")
    before = path.stat()
    envedit.remove_flags(str(path))
    after = path.stat()  # to read a file may set its time of access
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)


def test_what_an_earlier_process_of_the_same_pid_left_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "docker.env"
    (tmp_path / f"docker.env.{os.getpid()}.new").write_text("half")
    envedit.set_value(str(path), NAME, "true")
    assert sorted(os.listdir(tmp_path)) == ["docker.env"]


@pytest.mark.needs("user")
def test_a_directory_that_may_not_be_written_is_said_with_what_to_do(open_folder: Path) -> None:
    path = open_folder / "docker.env"
    path.write_text("A=1\n")
    path.chmod(0o644)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(
            envedit.EditError, match=re.escape(str(path)) + ".*Permission denied; try it with sudo"
        ):
            envedit.set_value(str(path), NAME, "true")
    finally:
        os.seteuid(0)
    assert path.read_text() == "A=1\n"
    assert os.listdir(open_folder) == ["docker.env"]


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(envedit.EditError, match="could not be changed: Is a directory"):
        envedit.set_value(str(tmp_path), NAME, "true")
    (tmp_path / "file").write_text("")
    with pytest.raises(envedit.EditError, match="could not be changed: Not a directory"):
        envedit.set_value(str(tmp_path / "file" / "docker.env"), NAME, "true")


def test_a_file_that_is_a_mount_is_written_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "docker.env"
    path.write_text(f"{NAME}={'x' * 100}\nA=1\n")
    inode = path.stat().st_ino

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "replace", busy)  # what rename(2) says of a mount point
    envedit.set_value(str(path), NAME, "true")
    assert path.read_text() == f"{NAME}=true\nA=1\n"
    assert (path.stat().st_ino, os.listdir(tmp_path)) == (inode, ["docker.env"])

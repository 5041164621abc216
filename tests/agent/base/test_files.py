import os
import threading
from pathlib import Path

import pytest

from agent.base import files
from tests.wait import PATIENCE, until


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        files.replace_file(str(path), b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.replace_file(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_no_regular_file_is_not_even_opened(tmp_path: Path) -> None:
    """A writer waits at a FIFO until somebody opens it for reading."""
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: os.close(os.open(path, os.O_WRONLY)), daemon=True)
    writer.start()

    def waits() -> bool:
        return Path(f"/proc/self/task/{writer.native_id}/wchan").read_text() == "wait_for_partner"

    until(waits, why="the writer waits")
    with pytest.raises(ValueError, match="fifo"):
        files.read_small(path, 10)
    assert waits()
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))  # and the meter moves
    writer.join(PATIENCE)
    assert not writer.is_alive()


def test_a_symlink_planted_under_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_bytes(b"untouched")
    (tmp_path / f"file.{os.getpid()}.new").symlink_to(victim)
    files.replace_file(str(path), b"new")
    assert (victim.read_bytes(), path.read_bytes()) == (b"untouched", b"new")
    assert not path.is_symlink()


def test_mode_and_owner_are_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o4641)
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
        path.chmod(0o4641)
    before = path.stat()
    files.replace_file(str(path), b"new", like=before)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_name_without_a_folder_is_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files.replace_file("file", b"x")
    assert files.read_small("file", 1) == b"x"


def test_nothing_is_read_that_is_no_file_or_too_large(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert files.read_small(str(path), 5) == b"12345"
    with pytest.raises(ValueError, match="file"):
        files.read_small(str(path), 4)
    os.mkfifo(tmp_path / "fifo")
    for odd in ("fifo", "."):
        with pytest.raises(ValueError, match=r".*"):
            files.read_small(str(tmp_path / odd), 5)
    with pytest.raises(FileNotFoundError):
        files.read_small(str(tmp_path / "none"), 5)

"""What is written is what is read."""

import fcntl
import os
from pathlib import Path

import pytest

from agent.base import processes
from agent.config.situation import read_situation
from agent.runs.parse import parse_run
from agent.runs.write import RunFile, create_run_file


@pytest.fixture
def file(tmp_path: Path) -> RunFile:
    environ = {
        "ROLLCALL_STATE_DIR": str(tmp_path / "state"),
        "ROLLCALL_PRODUCT": "Acme Thing",
        "HOME": "/nowhere",
    }
    return create_run_file(read_situation(environ, cwd=str(tmp_path), uid=os.geteuid()))


def written(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "state/runs").iterdir()
    return path


def test_a_run_is_read_as_it_was_noted(file: RunFile, tmp_path: Path) -> None:
    path = written(tmp_path)
    head = parse_run(path.read_text())
    assert head is not None
    assert (head.id, head.product, head.endpoint) == (file.id, "Acme Thing", "")
    assert head.wrapper == (processes.boot_id(), os.getpid(), processes.started(os.getpid()))
    assert (head.begun, head.end, head.email) == (False, None, None)
    assert head.new_instance not in (None, file.id)
    file.note_start()
    file.note_end("exit", 3, ("7", "curl", "my install.sh", "22"))
    file.note_email("me@a.example")
    run = parse_run(path.read_text())
    assert run is not None
    assert run.begun
    assert run.failed == ["7", "curl", "my install.sh"]
    assert run.command_exit == "22"
    assert run.end is not None
    assert run.end[0] >= run.began
    assert run.end[1] >= run.clock
    assert run.end[2:] == ("exit", 3)
    assert run.email is not None
    assert run.email[1] == "me@a.example"


def test_it_is_locked_while_it_is_open_and_its_owners_alone(file: RunFile, tmp_path: Path) -> None:
    path = written(tmp_path)
    assert (path.name, path.stat().st_mode & 0o777) == (f"{file.id}.run", 0o600)
    with path.open() as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(file.fd)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_run_that_never_was_leaves_nothing(file: RunFile, tmp_path: Path) -> None:
    file.remove()
    assert list((tmp_path / "state/runs").iterdir()) == []


def test_what_does_not_fit_on_the_disk_is_an_error(tmp_path: Path, file: RunFile) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file.fd)
    with pytest.raises(OSError, match="No space left"):
        file.note_start()


def test_a_run_keeps_what_it_was_for(tmp_path: Path) -> None:
    environ = {"ROLLCALL_STATE_DIR": str(tmp_path / "state"), "CI": "1", "HOME": "/nowhere"}
    create_run_file(read_situation(environ, cwd=str(tmp_path), uid=os.geteuid()))
    run = parse_run(written(tmp_path).read_text())
    assert run is not None
    assert run.environment == "ci"

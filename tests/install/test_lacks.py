"""What a machine may lack: each is one line that says what to do, and COMMAND runs all the same."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.scripts import AS_NOBODY, INSTALL, environment, home_of_nobody, run

COVER = """
for place in /usr/bin/python3* /usr/local/bin/python3*; do
    [ ! -f $place ] || mount --bind $0 $place
done
exec "$@"
"""
COMMAND = ["sh", "-c", "echo the product; exit 6"]


@pytest.fixture
def home() -> Iterator[Path]:
    place = home_of_nobody()
    yield place
    shutil.rmtree(place)


def fake(home: Path, says: str) -> Path:
    """A folder in which every Python of the machine answers this."""
    place = home / "bin"
    place.mkdir()
    (place / "python3").write_text(f"#!/bin/sh\necho '{says}'\n")
    (place / "python3").chmod(0o755)
    return place / "python3"


@pytest.mark.needs("user", "unshare")
@pytest.mark.parametrize(
    ("says", "message"),
    [
        (None, "there is no Python here; it needs 3.10 or newer: "),
        ("old 3.9", "Python here is 3.9; it needs 3.10 or newer: "),
        ("lacks ensurepip /usr/bin/python3.11", "/usr/bin/python3.11 lacks the module ensurepip: "),
        ("home /home/me/.pyenv/python3", "/home/me/.pyenv/python3 lies in a home directory"),
    ],
)
def test_a_python_that_will_not_do_is_named(home: Path, says: str | None, message: str) -> None:
    python = fake(home, says) if says else Path("/bin/false")
    words = ["unshare", "--mount", "sh", "-c", COVER, str(python), *AS_NOBODY]
    done = run(*words, INSTALL / "install.sh", "--user", "--", *COMMAND, environ=environment(home))
    assert (done.returncode, done.stdout) == (6, "the product\n")
    assert done.stderr.startswith(f"rollcall: nothing is installed: {message}")
    assert len(done.stderr.splitlines()) == 1
    assert "install " in done.stderr
    assert not (home / ".local").exists()
    alone = run(*words, INSTALL / "install.sh", "--user", environ=environment(home))
    assert (alone.returncode, alone.stdout) == (1, "")


@pytest.mark.needs("user")
@pytest.mark.parametrize(
    ("words", "more", "message"),
    [
        ([], [], "it needs root: use sudo, or --user"),
        (["--user"], ["HOME="], "--user needs a home directory"),
    ],
)
def test_what_else_is_lacking_is_named(home: Path, words: list[str], more: list[str], message: str) -> None:
    install = [*AS_NOBODY, "env", *more, str(INSTALL / "install.sh"), *words]
    done = run(*install, "--", *COMMAND, environ=environment(home))
    assert (done.returncode, done.stdout) == (6, "the product\n")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nonsense"], "--nonsense is not understood"),
        (["true"], "COMMAND comes after --"),
        (["--product"], "--product takes a value"),
        (["--product", "---", "--", "true"], "--product takes a name"),
        (["--product", "x" * 40], "--product takes a name"),
        (["--product", "env"], "--product takes a name"),
        (["--endpoint", "telemetry.example"], "--endpoint takes a URL"),
        (["--write-key-file", "/nonexistent"], "/nonexistent is not a file"),
        (["--env-file", "/nonexistent"], "/nonexistent is not a file"),
        (["--once"], "--once goes with --demo"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, words: list[str], message: str) -> None:
    done = run(INSTALL / "install.sh", *words, environ=environment(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs("user")
def test_behind_a_black_hole_the_command_starts_within_a_minute(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    held.append(hole.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        index = f"http://127.0.0.1:{hole.getsockname()[1]}/simple"
        before = time.monotonic()
        done = run(
            *AS_NOBODY,
            INSTALL / "install.sh",
            "--user",
            "--",
            *COMMAND,
            environ=environment(home, PIP_INDEX_URL=index),
        )
        assert time.monotonic() - before < 60
        hole.shutdown(socket.SHUT_RDWR)
        for one in held:
            one.close()
    assert held, "the index was asked"
    assert (done.returncode, done.stdout) == (6, "the product\n")
    assert "could not be had" in done.stderr
    assert not list((home / ".local/share/rollcall").glob("env-*"))

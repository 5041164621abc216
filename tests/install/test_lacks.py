"""What a machine may lack: each is one line that says what to do, and COMMAND runs all the same."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deadends import Mute
from tests.install.scripts import AS_NOBODY, INSTALL, environment, home_of_nobody, run
from tests.leftovers import remove
from tests.parts import NOBODY

COVER = """
for place in /usr/bin/python3* /usr/local/bin/python3*; do
    [ ! -f $place ] || mount --bind $0 $place
done
exec "$@"
"""
A_MINUTE = 60
COMMAND = ["sh", "-c", "echo the product; exit 6"]


@pytest.fixture
def home() -> Iterator[Path]:
    place = home_of_nobody()
    yield place
    remove(place)


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
        (None, "there is no Python here; 3.9 or newer is needed: "),
        ("old 3.8", "Python here is 3.8; 3.9 or newer is needed: "),
        ("lacks ensurepip /usr/bin/python3.11", "/usr/bin/python3.11 lacks the module ensurepip: "),
        ("home /home/me/.pyenv/python3", "/home/me/.pyenv/python3 is in a home directory"),
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
        ([], [], "root is needed: use sudo, or --user"),
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
        (["--nonsense"], "unknown option --nonsense"),
        (["true"], "COMMAND comes after --"),
        (["--product"], "--product takes a value"),
        (["--product", "---", "--", "true"], "--product takes a name"),
        (["--product", "x" * 40], "--product takes a name"),
        (["--product", "Dev Env"], "does not end in -env or collector"),
        (["--product", "Data Collector"], "does not end in -env or collector"),
        (["--endpoint", "telemetry.example"], "--endpoint takes a URL"),
        (["--write-key-file", "/nonexistent"], "the file /nonexistent cannot be read"),
        (["--env-file", "/nonexistent"], "the file /nonexistent cannot be read"),
        (["--once"], "--once needs --demo"),
        (["--product-version"], "--product-version takes a value"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, words: list[str], message: str) -> None:
    done = run(INSTALL / "install.sh", *words, environ=environment(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def checkout(home: Path, **constants: int) -> Path:
    """A copy of what a checkout installs from, in which these constants are others."""
    place = home / "checkout"
    for part in ("install", "agent", "systemd"):
        shutil.copytree(INSTALL.parent / part, place / part)
    shutil.copy(INSTALL.parent / "docker.env.example", place)
    for file in (place / "install/lib").glob("*.sh"):
        text = file.read_text()
        for name, value in constants.items():
            text = re.sub(rf"^{name}=\d+", f"{name}={value}", text, flags=re.MULTILINE)
        file.write_text(text)
    return place / "install/install.sh"


def constant(name: str) -> int:
    text = "".join(file.read_text() for file in (INSTALL / "lib").glob("*.sh"))
    return int(re.findall(rf"^{name}=(\d+)", text, re.MULTILINE)[0])


@pytest.mark.needs("user")
@pytest.mark.parametrize("seconds", [2, pytest.param(None, marks=pytest.mark.slow)])
def test_behind_a_black_hole_the_command_starts_in_time(home: Path, seconds: int | None) -> None:
    """A mute index: the bound is held, and in the long form it is the real one."""
    bound = constant("INDEX_SECONDS")
    assert bound + constant("BEFORE_SECONDS") <= A_MINUTE - 5
    install = checkout(home, **({"INDEX_SECONDS": seconds} if seconds else {}))
    scratch = home / "scratch"
    scratch.mkdir()
    os.chown(scratch, NOBODY, NOBODY)
    with Mute() as index:
        environ = environment(home, PIP_INDEX_URL=f"{index.endpoint}/simple", TMPDIR=str(scratch))
        before = time.monotonic()
        done = run(*AS_NOBODY, install, "--user", "--", *COMMAND, environ=environ)
        waited = time.monotonic() - before
    # On a busy machine the rest takes longer; pip alone would wait for more than a minute.
    assert (seconds or 1) <= waited < (A_MINUTE if seconds else bound + 10)
    assert (done.returncode, done.stdout) == (6, "the product\n")
    assert f"could not be installed within {seconds or bound} s" in done.stderr
    assert not list((home / ".local/share/rollcall").glob("env-*"))
    assert not list(scratch.iterdir())

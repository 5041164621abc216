"""uninstall.sh ends and removes what is its own installation's, and nothing else that looks like it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.install.scripts import AS_NOBODY, INSTALL, environment, home_of_nobody, run, shell
from tests.leftovers import remove
from tests.parts import NOBODY
from tests.wait import PATIENCE

pytestmark = pytest.mark.needs("user", "unshare")
CONTAINER = ["unshare", "--pid", "--fork", "--kill-child"]


@pytest.fixture
def home() -> Iterator[Path]:
    place = home_of_nobody()
    python = place / ".local/share/rollcall/env-1/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/bin/sh")
    for path in place.rglob("*"):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    yield place
    remove(place)


@contextmanager
def at_work(home: Path, *words: str, within: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """A process by the name of the installation's Python, which waits."""
    python = home / ".local/share/rollcall/env-1/bin/python"
    argv = [*within, *AS_NOBODY, str(python), "-c", "echo up; read x", "-I", "-m", "agent", *words]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            yield process
        finally:
            process.kill()


def uninstall(home: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    command = [*AS_NOBODY, *shell("dash"), f"{INSTALL}/uninstall.sh", "--yes", *words]
    return run(*command, environ=environment(home, **more))


def test_its_own_are_ended_and_a_containers_are_not(home: Path) -> None:
    with ExitStack() as stack:
        ours = [
            stack.enter_context(at_work(home, *words))
            for words in (["daemon", ""], ["beat", "--slot", "1"], ["flush", "--from", "/"])
        ]
        theirs = stack.enter_context(at_work(home, "daemon", "", within=tuple(CONTAINER)))
        wrap = stack.enter_context(at_work(home, "wrap", "--", "true"))
        done = uninstall(home)
        assert (done.returncode, done.stderr) == (0, "rollcall: removed\n")
        assert [process.wait(PATIENCE) for process in ours] == [-15, -15, -15]
        assert (theirs.poll(), wrap.poll()) == (None, None)


def test_where_nothing_of_it_is_it_says_so(home: Path) -> None:
    done = uninstall(home, "--product", "Other")
    assert done.returncode == 0
    assert done.stderr.startswith("rollcall-other: nothing of it is here: neither ")
    assert f"{home}/.local/share/rollcall-other" in done.stderr
    assert (home / ".local/share/rollcall").exists()
    refusal = home / ".config/rollcall-other/docker.env"
    refusal.parent.mkdir(parents=True)
    refusal.write_text("DO_NOT_TRACK=1\n")
    for path in (refusal, refusal.parent, refusal.parent.parent):
        os.chown(path, NOBODY, NOBODY)
    done = uninstall(home, "--product", "Other")
    assert done.stderr.splitlines()[-1] == "rollcall-other: nothing else of it is here"
    assert uninstall(home, "--product", "Other", "--purge").stderr == "rollcall-other: removed\n"


def test_one_that_ends_while_it_is_looked_for_is_not_spoken_of(home: Path) -> None:
    """grep saw it, and then it was gone."""
    shim = home / "grep"
    shim.write_text(
        '#!/bin/sh\n[ "$1" != -lsF ] || echo /proc/0/cmdline >>"$HOME/seen"\n'
        '[ "$1" != -lsF ] || echo /proc/0/cmdline\nexec /usr/bin/grep "$@"\n'
    )
    shim.chmod(0o755)
    done = uninstall(home, PATH=f"{home}:/usr/sbin:/usr/bin:/sbin:/bin")
    assert (done.returncode, done.stderr) == (0, "rollcall: removed\n")
    assert (home / "seen").exists()


@pytest.mark.parametrize("starts", ["our", "another"])
def test_a_command_of_that_name_is_removed_only_if_it_starts_our_environment(home: Path, starts: str) -> None:
    root = home / (".local/share/rollcall" if starts == "our" else "another")
    command = home / ".local/bin/rollcall"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec "{root}/current/bin/python" -I -m agent "$@"\n')
    for path in (command.parent, command):
        os.chown(path, NOBODY, NOBODY)
    assert uninstall(home).returncode == 0
    assert not (home / ".local/share/rollcall").exists()
    assert command.exists() == (starts == "another")

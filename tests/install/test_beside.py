"""Two install.sh of one NAME at once: one waits for the other, and neither leaves half of anything."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.archive import changed, summed
from tests.install.scripts import AS_NOBODY, OFFLINE, environment, home_of_nobody, run, shell
from tests.leftovers import remove
from tests.parts import NOBODY
from tests.wait import PATIENCE

# Stops the first installation when its new environment is half made, and then lets it fail if it is to.
GATE = """#!/bin/sh
case $2 in */env-*) : >"{here}/reached"; read -r word <"{here}/gate"; [ "$word" != fail ] || exit 1 ;; esac
exec /usr/bin/chmod "$@"
"""
BOUNDS = "BEFORE_SECONDS=15", "AFTER_SECONDS=60"
pytestmark = pytest.mark.needs("user", "unshare", "dash")


class Pair:
    """A home in which one installation is held half-way while another comes."""

    def __init__(self, bundle: Path) -> None:
        self.bundle = bundle
        self.home = home_of_nobody()
        self.gates = home_of_nobody("rollcall-gates-")
        os.mkfifo(self.gates / "gate")
        os.mkfifo(self.gates / "reached")
        for file in self.gates.iterdir():
            os.chown(file, NOBODY, NOBODY)
        (self.gates / "chmod").write_text(GATE.format(here=self.gates))
        (self.gates / "chmod").chmod(0o755)

    @contextlib.contextmanager
    def started(self, bundle: Path, *, path: str = "") -> Iterator["subprocess.Popen[str]"]:
        environ = environment(self.home)
        environ["PATH"] = path + environ["PATH"]
        command = [*OFFLINE, *AS_NOBODY, *shell("dash"), f"{bundle}/install/install.sh", "--user"]
        with subprocess.Popen(
            [*command, "--", "echo", "the product"], env=environ, cwd=self.home, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    @contextlib.contextmanager
    def held(self) -> Iterator["subprocess.Popen[str]"]:
        """An installation, stopped with its new environment half made."""
        with self.started(self.bundle, path=f"{self.gates}:") as process:
            (self.gates / "reached").read_text()
            yield process

    def let_go(self, word: str = "") -> None:
        (self.gates / "gate").write_text(f"{word}\n")

    @property
    def root(self) -> Path:
        return self.home / ".local/share/rollcall"


@pytest.fixture
def pair(bundle: Path) -> Iterator[Pair]:
    found = Pair(bundle)
    yield found
    remove(found.home)
    remove(found.gates)


def waiting_for(bundle: Path, seconds: float, after: float = 60) -> Path:
    """The bundle, made to wait this long for another installation, before COMMAND and after it."""
    files = bundle / "install/lib/files.sh"
    text = files.read_text()
    for bound, longer in zip(BOUNDS, (seconds, after), strict=True):
        assert text.count(bound) == 1
        text = text.replace(bound, f"{bound.partition('=')[0]}={longer:.0f}")
    files.write_text(text)
    return summed(bundle)


def said_by(process: "subprocess.Popen[str]", words: str) -> str:
    """What it said until these words came, or until its end."""
    assert process.stderr
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            break
    return said


def test_the_second_waits_for_the_first(pair: Pair, bundle: Path) -> None:
    newer = waiting_for(changed(bundle, "agent/added.py", "# a new version\n"), PATIENCE)
    with pair.held() as first, pair.started(newer) as second:
        assert "waiting for another install.sh" in said_by(second, "waiting")
        assert (first.poll(), second.poll()) == (None, None)
        pair.let_go()
        for process in (first, second):
            out, said = process.communicate(timeout=PATIENCE)
            assert (process.returncode, out) == (0, "the product\n"), said
            assert "not reported" not in said
    assert (pair.root / "current/bin/python").exists()
    command = pair.home / ".local/bin/rollcall"
    status = run(*AS_NOBODY, command, "status", "--json", environ=environment(pair.home))
    assert json.loads(status.stdout)["sending"] is True
    assert [path.name for path in pair.root.glob("env-*")] == [os.readlink(pair.root / "current")]
    assert list(pair.root.glob("current/lib/python3*/site-packages/agent/added.py"))


def test_one_that_fails_leaves_nothing(pair: Pair) -> None:
    with pair.held() as first:
        assert (pair.root / "lock").exists()
        pair.let_go("fail")
        out, said = first.communicate(timeout=PATIENCE)
    assert (first.returncode, out) == (0, "the product\n")
    assert said.endswith("rollcall: nothing was installed\n")
    assert not pair.root.exists()


def test_the_second_goes_on_where_the_first_failed(pair: Pair, bundle: Path) -> None:
    patient = waiting_for(shutil.copytree(bundle, pair.gates / "patient"), PATIENCE)
    with pair.held() as first, pair.started(patient) as second:
        assert "waiting for another install.sh" in said_by(second, "waiting")
        pair.let_go("fail")
        assert "nothing was installed" in first.communicate(timeout=PATIENCE)[1]
        out, said = second.communicate(timeout=PATIENCE)
    assert (second.returncode, out) == (0, "the product\n")
    assert "nothing was installed" not in said
    assert (pair.root / "current/bin/python").exists()
    assert (pair.root / "lock").exists()


def test_one_that_was_killed_holds_nobody_up(pair: Pair, bundle: Path) -> None:
    with pair.held() as first:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate(timeout=PATIENCE)  # until the last of them, any of whom has the lock, is gone
    with pair.started(bundle) as second:
        out, said = second.communicate(timeout=PATIENCE)
    assert (second.returncode, out) == (0, "the product\n")
    assert "waiting" not in said
    assert [path.name for path in pair.root.glob("env-*")] == [os.readlink(pair.root / "current")]


def test_the_command_is_not_kept_waiting_for_long(pair: Pair, bundle: Path) -> None:
    hasty = waiting_for(shutil.copytree(bundle, pair.gates / "hasty"), 1, after=10 * PATIENCE)
    with pair.held() as first, pair.started(hasty) as second:
        out, said = second.communicate(timeout=PATIENCE)  # it waits as before COMMAND, not as after it
        assert (second.returncode, out) == (0, "the product\n")
        assert "another install.sh is still running" in said
        assert first.poll() is None
        pair.let_go()
        assert first.wait() == 0

"""Whatever step an installation was ended at, the next one mends all, and uninstall.sh leaves nothing."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.scripts import AS_NOBODY, OFFLINE, environment, home_of_nobody, run, shell
from tests.install.trees import tree

# The programs by which install.sh changes anything, or which stand between two changes.
PROGRAMS = [
    "mkdir",
    "mktemp",
    "chmod",
    "cat",
    "sed",
    "mv",
    "rm",
    "ln",
    "sync",
    "cksum",
    "readlink",
    "dirname",
]
SHIM = """#!/bin/sh
count=$(($(/bin/cat "{counter}") + 1))
echo "$count" >"{counter}"
if [ "$count" = "$END_AT" ]; then
    kill -s "$END_BY" 0
    /bin/sleep 5
fi
exec /usr/bin/{program} "$@"
"""
SOME = 3
pytestmark = pytest.mark.needs("user", "unshare", "dash")


class Steps:
    """An installation that can be ended at its n-th step, with all of its processes."""

    def __init__(self, bundle: Path) -> None:
        self.bundle = bundle
        self.shims = home_of_nobody("rollcall-shims-")
        self.counter = self.shims / "counter"
        for program in PROGRAMS:
            shim = self.shims / program
            shim.write_text(SHIM.format(counter=self.counter, program=program))
            shim.chmod(0o755)
        self.home = home_of_nobody()

    def fresh(self) -> None:
        shutil.rmtree(self.home)
        self.home = home_of_nobody()

    def environ(self, **more: str) -> dict[str, str]:
        return environment(self.home, **more)

    def ended(self, at: int, by: signal.Signals) -> int:
        """Install until that step; how many steps were taken."""
        self.counter.write_text("0\n")
        os.chown(self.counter, 65534, 65534)
        path = f"{self.shims}:{self.environ()['PATH']}"
        environ = self.environ(PATH=path, END_AT=str(at), END_BY=by.name.removeprefix("SIG"))
        command = [
            *OFFLINE,
            *AS_NOBODY,
            *shell("dash"),
            f"{self.bundle}/install/install.sh",
            "--user",
            "--",
            "true",
        ]
        with (self.shims / "said").open("w") as said:
            process = subprocess.Popen(
                command,
                env=environ,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            process.wait(timeout=120)
        return int(self.counter.read_text())

    def mended(self) -> None:
        words = [*OFFLINE, *AS_NOBODY, *shell("dash"), f"{self.bundle}/install/install.sh", "--user"]
        done = run(*words, environ=self.environ())
        assert done.returncode == 0, done.stderr
        command = self.home / ".local/bin/rollcall"
        status = json.loads(run(*AS_NOBODY, command, "status", "--json", environ=self.environ()).stdout)
        assert status["sending"] is True
        root = self.home / ".local/share/rollcall"
        assert [f"{path.name}" for path in root.glob("env-*")] == [os.readlink(root / "current")]

    def uninstalled(self) -> None:
        words = [*AS_NOBODY, *shell("dash"), f"{self.bundle}/install/uninstall.sh", "--yes"]
        done = run(*words, environ=self.environ())
        assert done.returncode == 0, done.stderr
        assert tree(self.home, "") == {}


@pytest.fixture
def steps(bundle: Path) -> Iterator[Steps]:
    found = Steps(bundle)
    yield found
    shutil.rmtree(found.shims)
    shutil.rmtree(found.home)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_the_next_run_mends_all(steps: Steps, slow: bool, by: signal.Signals) -> None:
    last = steps.ended(0, by)
    assert last > 20
    stride = 1 if slow else last // SOME
    for at in range(1, last + 1, stride):
        steps.fresh()
        assert steps.ended(at, by) <= at + 1
        if at % 2:
            steps.mended()
        steps.uninstalled()


def test_an_upgrade_that_is_ended_leaves_an_installation_that_works(steps: Steps, slow: bool) -> None:
    last = steps.ended(0, signal.SIGKILL)
    for at in range(1, last + 1, 1 if slow else last // SOME):
        (steps.home / ".local/share/rollcall/current/made").write_text("something else\n")
        steps.ended(at, signal.SIGKILL)
        command = steps.home / ".local/bin/rollcall"
        done = run(*AS_NOBODY, command, "status", "--json", environ=steps.environ())
        assert json.loads(done.stdout)["sending"] is True
    steps.mended()
    steps.uninstalled()

"""Silent, wrap leaves nothing of itself: counted in system calls, beside the same run that reports."""

import compileall
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import agent
from tests import environ
from tests.e2e.wrap.side_by_side import WRAP
from tests.receiver import Receiver
from tests.wait import PATIENCE

pytestmark = pytest.mark.needs("strace")

CALLS = "execve,fork,vfork,clone,clone3,network,open,openat,creat,mkdir,mkdirat,symlink,link,rename,renameat"
FORKS = re.compile(r"\b(?:v?fork|clone3?)\(")
SOCKETS = re.compile(r"\b(?:socket|connect|sendto|bind)\(")
CREATES = re.compile(r"O_CREAT|memfd|\b(?:mkdir|symlink|link|rename)(?:at)?\(")
CMD = "/bin/true"


class Counted:
    """The calls of one wrapped run, from the wrapper's own start."""

    def __init__(self, place: Path, endpoint: str, **more: str) -> None:
        log = place / "strace.log"
        environment = environ.bare(
            place, ROLLCALL_STATE_DIR=str(place / "state"), ROLLCALL_ENDPOINT=endpoint, **more
        )
        done = subprocess.run(
            ["strace", "-f", "-qq", "-e", f"trace={CALLS}", "-o", str(log), *WRAP, "--", CMD],
            env=environment, cwd=place, capture_output=True, check=True, timeout=PATIENCE,
        )  # fmt: skip
        self.err = done.stderr
        self.calls = log.read_text().splitlines()

    def like(self, pattern: re.Pattern[str]) -> list[str]:
        return [call for call in self.calls if pattern.search(call) and " = -1 " not in call]

    def whose(self, program: str) -> list[str]:
        """The pids that became a program."""
        return [call.split()[0] for call in self.calls if f'execve("{program}"' in call and "= 0" in call]


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    """Of a fresh checkout, the first to run keeps what Python compiled in files."""
    compileall.compile_dir(Path(agent.__file__).parent, quiet=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening


@pytest.mark.parametrize("where", ["environment", "docker.env"])
def test_a_silent_wrap_becomes_cmd_and_leaves_nothing(tmp_path: Path, receiver: Receiver, where: str) -> None:
    if where == "docker.env":
        (tmp_path / "docker.env").write_text("DO_NOT_TRACK=1\n")
        silent = Counted(tmp_path, receiver.endpoint)
    else:
        silent = Counted(tmp_path, receiver.endpoint, ROLLCALL_DISABLE_TELEMETRY="true")
    assert silent.err == b""
    assert (silent.like(FORKS), silent.like(SOCKETS), silent.like(CREATES)) == ([], [], [])
    assert silent.whose(CMD) == silent.whose(sys.executable)
    assert not (tmp_path / "state").exists()
    (tmp_path / "docker.env").write_text("DO_NOT_TRACK=0\n")
    loud = Counted(tmp_path, receiver.endpoint)
    assert loud.err
    assert all((loud.like(FORKS), loud.like(SOCKETS), loud.like(CREATES)))
    assert loud.whose(CMD) != loud.whose(sys.executable)[:1]
    assert os.listdir(tmp_path / "state")
    assert receiver.requests

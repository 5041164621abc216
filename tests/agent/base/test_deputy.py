"""A question that is answered as the caller, after root has become the state directory's owner."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.base.deputy import deputy_for
from agent.base.statedir import StateDir
from tests.parts import NOBODY

ASK = """
import os, sys
from agent.base.deputy import deputy_for
from agent.base.owner import become_owner
from agent.base.statedir import StateDir
state, file = StateDir(sys.argv[1]), sys.argv[2]
with deputy_for(lambda: os.path.exists(file), state) as there:
    become_owner(state)
    print(os.path.exists(file), there())
    input()
    print(there())
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("no child is left")
"""


@pytest.mark.needs("user")
def test_the_deputy_sees_what_the_owner_may_not(tmp_path: Path) -> None:
    state, closed = tmp_path / "state", tmp_path / "closed"
    for folder in (state, closed):
        folder.mkdir(mode=0o700)
    os.chown(state, NOBODY, NOBODY)
    file = closed / "file"
    file.touch()
    command = [sys.executable, "-I", "-c", ASK, str(state), str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "False True\n"
        file.unlink()
        assert process.communicate("\n")[0] == "False\nno child is left\n"


def test_for_the_owner_itself_there_is_no_deputy(tmp_path: Path) -> None:
    with deputy_for(lambda: os.getpid() == me, StateDir(str(tmp_path))) as same:
        me = os.getpid()
        assert same()


@pytest.mark.needs("user")
def test_a_deputy_that_is_gone_says_no(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    with deputy_for(lambda: os._exit(1), StateDir(str(tmp_path))) as asked:
        assert [asked(), asked()] == [False, False]

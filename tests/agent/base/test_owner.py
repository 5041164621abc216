"""Root in somebody else's state directory: as its owner, for good or for a while."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wait import PATIENCE

BECOME = """
import os, sys
from agent.base.owner import become_owner
from agent.base.statedir import StateDir
become_owner(StateDir(sys.argv[1]))
print(os.getresuid(), os.getresgid(), os.getgroups())
"""

ACT = """
import os, sys
from agent.base.owner import ActingAsOwner
from agent.base.statedir import StateDir
os.umask(0o027)
def ids():
    status = open("/proc/self/status").read()
    return os.getresuid(), os.getresgid(), os.getgroups(), status.split("Umask:")[1].split()[0]
before = ids()
try:
    with ActingAsOwner(StateDir(sys.argv[1])):
        print(*ids())
        raise KeyError(1)
except (KeyError, OSError) as why:
    print(why)
print(ids() == before)
"""


def act(program: str, path: Path, *prefix: str) -> "subprocess.CompletedProcess[str]":
    command = [*prefix, sys.executable, "-I", "-c", program, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


def test_ones_own_directory_or_none_changes_nobody(tmp_path: Path) -> None:
    me = os.geteuid()
    for path in (tmp_path, tmp_path / "missing"):
        assert act(BECOME, path).stdout.startswith(f"({me}, {me}, {me})")


@pytest.mark.needs("root")
def test_root_becomes_the_owner_for_good(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 4321)
    assert act(BECOME, tmp_path).stdout == "(1234, 1234, 1234) (4321, 4321, 4321) []\n"


@pytest.mark.needs("root")
def test_a_root_that_may_not_become_the_owner_goes_no_further(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 4321)
    done = act(BECOME, tmp_path, "setpriv", "--bounding-set", "-setuid,-setgid", "--inh-caps=-setuid,-setgid")
    assert done.returncode == 1
    assert f"root is not allowed to act as the owner (uid 1234) here: '{tmp_path}'" in done.stderr
    assert done.stdout == ""


@pytest.mark.needs("root")
def test_root_acts_as_the_owner_for_a_while_and_is_itself_again(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 4321)
    done = act(ACT, tmp_path, "setpriv", "--groups", "7,8")
    during = "(0, 1234, 0) (0, 4321, 0) [] 0077"
    assert done.stdout.splitlines() == [during, "1", "True"], done.stderr


@pytest.mark.needs("root")
@pytest.mark.parametrize("lost", ["-setuid", "-setgid"])
def test_a_root_that_may_not_act_as_the_owner_stays_wholly_itself(tmp_path: Path, lost: str) -> None:
    os.chown(tmp_path, 1234, 4321)
    done = act(ACT, tmp_path, "setpriv", "--groups", "7,8", "--bounding-set", lost, "--inh-caps=" + lost)
    said, restored = done.stdout.splitlines()
    assert f"root is not allowed to act as the owner (uid 1234) here: '{tmp_path}'" in said
    assert restored == "True"


def test_in_ones_own_directory_only_the_umask_changes_for_a_while(tmp_path: Path) -> None:
    me, groups = os.getresuid(), os.getgroups()
    done = act(ACT, tmp_path)
    assert done.stdout.splitlines() == [f"{me} {os.getresgid()} {groups} 0077", "1", "True"]

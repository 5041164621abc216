import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from agent.base import statedir
from agent.base.statedir import StateDir

ACT = """
import os, sys
from agent.base.statedir import StateDir, act_as_owner
act_as_owner(StateDir(sys.argv[1]))
print(os.getresuid(), os.getresgid(), os.getgroups())
"""


def test_naming_a_path_makes_nothing(tmp_path: Path) -> None:
    found = StateDir(str(tmp_path / "state"))
    places = [
        found.id,
        found.outbox,
        found.runs,
        found.seen,
        found.due,
        found.lock,
        found.sender,
        found.daemon,
    ]
    assert all(os.path.dirname(place) == found.path for place in places)
    assert len(set(places)) == len(places)
    assert not found.exists()
    assert found.run_files() == []
    assert repr(found) == f"StateDir({found.path!r})"
    assert list(tmp_path.iterdir()) == []


def test_the_directory_is_its_owners_alone(tmp_path: Path) -> None:
    found = StateDir(str(tmp_path / "a" / "state"))
    found.make()
    found.make()
    assert found.exists()
    assert stat.S_IMODE(os.stat(found.path).st_mode) == 0o700


def test_memory_is_all_but_the_locks(tmp_path: Path) -> None:
    found = StateDir(str(tmp_path))
    os.mkdir(found.runs)
    left = [
        os.path.join(found.runs, "1.run"),
        f"{found.id}.7.new",
        f"{found.outbox}.newer-journal",
        found.seen,
    ]
    for path in [*left, found.lock, found.sender, found.daemon]:
        Path(path).touch()
    there = {path for path in found.memory() if os.path.exists(path)}
    assert there == set(left)


def test_the_owner_of_what_is_not_there_is_nobody(tmp_path: Path) -> None:
    assert statedir.owner(str(tmp_path / "x")) is None
    assert statedir.owner(str(tmp_path)) == (os.geteuid(), os.stat(tmp_path).st_gid)


def act(path: Path, *prefix: str) -> "subprocess.CompletedProcess[str]":
    command = [*prefix, sys.executable, "-I", "-c", ACT, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_ones_own_directory_or_none_changes_nobody(tmp_path: Path) -> None:
    me = os.geteuid()
    for path in (tmp_path, tmp_path / "missing"):
        assert act(path).stdout.startswith(f"({me}, {me}, {me})")


@pytest.mark.needs("root")
def test_root_becomes_the_owner_for_good(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 4321)
    assert act(tmp_path).stdout == "(1234, 1234, 1234) (4321, 4321, 4321) []\n"


@pytest.mark.needs("root")
def test_a_root_that_may_not_become_the_owner_goes_no_further(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 4321)
    done = act(tmp_path, "setpriv", "--bounding-set", "-setuid,-setgid", "--inh-caps=-setuid,-setgid")
    assert done.returncode == 1
    assert f"this root may not act as the owner, uid 1234: '{tmp_path}'" in done.stderr
    assert done.stdout == ""

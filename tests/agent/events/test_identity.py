from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from agent.base.statedir import StateDir
from agent.events import identity
from tests.wait import PATIENCE

HERE, ELSEWHERE = "a" * 32, "b" * 32

RACE = """
import sys
from agent.events import identity
from agent.base.statedir import StateDir
state, identity.LOCK_WAIT = StateDir(sys.argv[1]), float(sys.argv[3])
sys.stdin.readline()
state.make()
print(identity.ensure(state, sys.argv[2] or None))
"""


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    found = StateDir(str(tmp_path / "state"))
    found.make()
    return found


@pytest.mark.parametrize("damage", ["none", "garbage", "stranger's disk"])
def test_ten_processes_that_race_for_the_id_get_the_same(tmp_path: Path, damage: str) -> None:
    state = StateDir(str(tmp_path / "state"))
    if damage != "none":
        state.make()
        Path(state.id).write_text("{" if damage == "garbage" else identity_text(str(uuid.uuid4()), ELSEWHERE))
    command = [sys.executable, "-I", "-c", RACE, state.path, HERE, str(PATIENCE)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen(command, **pipes) for _ in range(10)]  # type: ignore[call-overload]
    answers = []
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        out, _ = racer.communicate(timeout=PATIENCE)
        answers.append((racer.returncode, out.strip()))
    found = identity.read(state)
    assert found is not None
    assert set(answers) == {(0, found.instance)}
    assert not found.is_clone(HERE)


def identity_text(instance: str, machine: str | None) -> str:
    return json.dumps({"instanceId": instance, "machine": identity._keyed(instance, machine)})


def test_the_id_is_random_its_owners_alone_and_survives(state: StateDir) -> None:
    first = identity.ensure(state, HERE)
    assert uuid.UUID(first).version == 4
    assert os.stat(state.id).st_mode & 0o777 == 0o600
    written = os.stat(state.id)
    assert identity.ensure(state, HERE) == first
    now = os.stat(state.id)
    assert (now.st_ino, now.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)  # and is written once


def test_the_machine_id_is_not_kept_and_not_told(state: StateDir) -> None:
    identity.ensure(state, HERE)
    assert HERE not in Path(state.id).read_text()


def test_a_cloned_disk_gets_an_id_of_its_own(state: StateDir, tmp_path: Path) -> None:
    first = identity.ensure(state, HERE)
    copy = StateDir(str(tmp_path / "copy"))
    shutil.copytree(state.path, copy.path)
    second = identity.ensure(copy, ELSEWHERE)
    assert second != first
    assert identity.ensure(copy, ELSEWHERE) == second
    assert identity.ensure(state, HERE) == first


def test_no_verdict_where_either_machine_is_not_known(state: StateDir) -> None:
    first = identity.ensure(state, None)
    assert identity.ensure(state, None) == first
    assert identity.ensure(state, HERE) == first  # learns where it is
    assert identity.ensure(state, None) == first
    assert identity.ensure(state, ELSEWHERE) != first


class Fips:
    """A system in FIPS mode, whose Python has no BLAKE2: it may take no key, refuse to run, or be absent."""

    def __init__(self, mode: pytest.MonkeyPatch, how: type[Exception]) -> None:
        self._mode, self._how = mode, how

    def begin(self) -> None:
        def blake2b(*_: object, **__: object) -> object:
            raise self._how

        if self._how is AttributeError:
            self._mode.delattr("hashlib.blake2b")
        else:
            self._mode.setattr("hashlib.blake2b", blake2b)

    def end(self) -> None:
        self._mode.undo()


@pytest.fixture(params=[TypeError, ValueError, AttributeError])
def fips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Fips:
    return Fips(monkeypatch, request.param)


def test_in_fips_mode_there_is_an_id_and_a_copied_disk_gets_its_own(state: StateDir, fips: Fips) -> None:
    fips.begin()
    first = identity.ensure(state, HERE)
    written = os.stat(state.id)
    assert identity.ensure(state, HERE) == first == identity.read_valid(state, HERE)
    assert os.stat(state.id).st_ino == written.st_ino  # and is written once
    assert HERE not in Path(state.id).read_text()
    assert identity.read_valid(state, ELSEWHERE) is None
    assert identity.ensure(state, ELSEWHERE) != first


def test_the_id_survives_that_fips_mode_begins_and_ends(state: StateDir, fips: Fips) -> None:
    before = identity.ensure(state, HERE)
    fips.begin()
    assert identity.ensure(state, HERE) == before == identity.read_valid(state, HERE)
    os.unlink(state.id)
    made = identity.ensure(state, HERE)
    fips.end()
    assert identity.ensure(state, HERE) == made
    assert identity.ensure(state, ELSEWHERE) != made


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b'{"instanceId": 5, "machine": null}', b'{"instanceId": "x", "machine": null}',
        b"[" * 4000, b"\xff", b"x" * 5000, b'{"instanceId": "../../etc"}', b"null",
    ],
)  # fmt: skip
def test_a_damaged_id_is_set_aside_and_a_new_one_made(state: StateDir, data: bytes) -> None:
    Path(state.id).write_bytes(data)
    assert identity.read(state) is None
    made = identity.ensure(state, HERE)
    found = identity.read(state)
    assert found is not None
    assert found.instance == made
    assert Path(state.id + ".damaged").read_bytes() == data


@pytest.mark.parametrize("why", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE])
def test_an_id_that_cannot_be_read_now_stays(
    state: StateDir, monkeypatch: pytest.MonkeyPatch, why: int
) -> None:
    before = identity.ensure(state, HERE)

    def fail(path: str, at_most: int) -> bytes:
        raise OSError(why, os.strerror(why), path)

    with monkeypatch.context() as now:
        now.setattr(identity, "read_small", fail)
        assert identity.read(state) is None
        with pytest.raises(OSError, match=os.strerror(why)):
            identity.ensure(state, HERE)
    assert identity.ensure(state, HERE) == before


def test_an_odd_machine_hash_is_taken_for_none(state: StateDir) -> None:
    instance = str(uuid.uuid4())
    Path(state.id).write_text(json.dumps({"instanceId": instance, "machine": 7}))
    assert identity.read(state) == identity.Identity(instance, None)


def test_a_fifo_in_the_ids_place_hangs_nobody(state: StateDir) -> None:
    os.mkfifo(state.id)
    assert identity.read(state) is None
    assert identity.ensure(state, None)

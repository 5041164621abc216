from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.base.files import replace_file
from agent.config import situation
from agent.config.situation import read_situation
from tests.agent.world import FLAG, World


def test_the_environment_decides_before_any_file_is_opened(world: World) -> None:
    world.env_file("ROLLCALL_PRODUCT=x\n")
    world.environ[FLAG] = "1"
    found = world.situation
    assert found.decision.source == f"{FLAG} in the environment"
    assert found._env_files is None


def test_a_no_in_the_environment_does_not_overrule_a_yes_in_a_file(world: World) -> None:
    path = world.env_file(f"{FLAG}=1\n")
    world.environ[FLAG] = "false"
    assert world.situation.decision.source == f"{path}:1"


def test_the_flag_is_looked_for_in_every_file(world: World) -> None:
    world.env_file("ROLLCALL_PRODUCT=Shop\n")
    system = world.root / "etc" / "rollcall" / "docker.env"
    system.parent.mkdir()
    system.write_text("\nDO_NOT_TRACK=1\n")
    found = world.situation
    assert found.settings.product == "Shop"
    assert found.decision.source == f"{system}:2"


def test_a_file_read_before_and_gone_silences_heartbeats_until_it_is_back(world: World) -> None:
    paths = [str(world.cwd / "docker.env"), str(world.path / "odd\nname")]
    world.environ["ROLLCALL_ENV_FILE"] = paths[1]
    world.state.make()
    replace_file(world.state.seen, b"\0".join(map(os.fsencode, paths)))
    assert situation.files_last_read(world.state) == paths
    assert world.situation.standing_decision.rule == "gone"
    assert world.situation.decision.sending
    for path in paths:
        Path(path).write_text("")
    assert world.situation.standing_decision.sending


def test_what_was_read_where_this_caller_does_not_look_is_no_doubt(world: World) -> None:
    world.env_file("")
    world.run("beat")
    elsewhere = read_situation(world.environ, cwd="/", uid=world.uid, root=str(world.root))
    (world.cwd / "docker.env").unlink()
    assert world.situation.standing_decision.rule == "gone"
    assert elsewhere.standing_decision.sending


@pytest.mark.parametrize("kind", ["missing", "fifo", "directory", "huge"])
def test_a_list_of_files_that_cannot_be_read_is_none(world: World, kind: str) -> None:
    state = world.state
    state.make()
    if kind == "fifo":
        os.mkfifo(state.seen)
    elif kind == "directory":
        os.mkdir(state.seen)
    elif kind == "huge":
        replace_file(state.seen, b"x" * (situation.MAX_SEEN + 1))
    assert situation.files_last_read(state) == []


def test_the_file_that_status_names_is_the_named_one_or_the_first_that_may_set(world: World) -> None:
    before = world.situation.env_file
    path = world.env_file("")
    assert (before, world.situation.env_file) == (None, str(path))
    world.environ["ROLLCALL_ENV_FILE"] = "sub/../not-yet.env"
    assert world.situation.env_file == str(world.cwd / "not-yet.env")


def test_a_choice_is_written_to_the_machines_file_by_root_and_to_ones_own_by_others(world: World) -> None:
    world.uid = 0
    assert world.situation.env_file_to_make == str(world.root / "etc/rollcall/docker.env")
    world.uid = 1000
    assert world.situation.env_file_to_make == str(world.path / "home/.config/rollcall/docker.env")


def test_a_deleted_working_directory_is_one_where_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert situation.working_directory() == os.fspath(tmp_path)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert not os.path.lexists(os.path.join(situation.working_directory(), "docker.env"))


def test_a_stamp_changes_with_the_file(world: World) -> None:
    before = world.situation.file_stamps()
    path = world.env_file("A=1\n")
    between = world.situation.file_stamps()
    assert before != between
    path.write_text("A=1\nB=2\n")
    assert world.situation.file_stamps() != between

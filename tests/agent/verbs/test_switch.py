import os
from contextlib import closing
from pathlib import Path

import pytest

from agent.base.statedir import StateDir
from agent.outbox.outbox import Outbox
from tests import environ
from tests.agent.world import FLAG, World, tree
from tests.verbs import run_verb


def record(world: World, number: int = 1) -> None:
    with closing(Outbox(world.state)) as box:
        box.record({"messageId": f"m{number}", "event": "Filled", "properties": {"x": "secret"}}, "")


def test_disable_writes_the_flag_where_status_looks_and_erases_what_waits(world: World) -> None:
    path = world.env_file("# ours\nDB_PASSWORD=x\n")
    record(world)
    done = world.run("disable")
    assert done.code == 0
    assert path.read_text() == f"# ours\nDB_PASSWORD=x\n{FLAG}=true\n"
    assert "telemetry is off" in done.err
    assert "waiting events erased: 1" in done.err
    assert b"secret" not in Path(world.state.outbox).read_bytes()
    assert world.run("status", "--json").json["source"] == f"{path}:3"


@pytest.mark.parametrize("left", ["outbox.db", "outbox.db.damaged", "outbox.db.newer"])
def test_disable_leaves_nothing_to_read_in_an_outbox_that_cannot_be_used(world: World, left: str) -> None:
    world.state.make()
    Path(world.state.path, left).write_bytes(b"secret" * 1000)
    assert world.run("disable").code == 0
    assert not any(b"secret" in path.read_bytes() for path in Path(world.state.path).iterdir())


def test_what_was_set_aside_is_erased_where_the_outbox_cannot_be_changed(world: World) -> None:
    world.state.make()
    aside = Path(world.state.outbox + ".damaged")
    aside.write_bytes(b"secret")
    Path(world.state.outbox).mkdir()
    done = world.run("disable")
    assert (done.code, "is not a file" in done.err) == (1, True)
    assert not aside.exists()


def test_disable_makes_a_file_where_there_is_none(world: World) -> None:
    done = world.run("disable")
    made = world.situation.env_file
    assert (done.code, made) == (0, world.situation.env_file_to_make)
    assert not os.path.exists(world.state.path)
    assert not world.situation.decision.sending


def test_enable_undoes_disable_and_sends_nothing_from_before(world: World) -> None:
    record(world)
    world.run("disable")
    done = world.run("enable")
    assert (done.code, "telemetry is on" in done.err) == (0, True)
    assert world.run("status", "--json").json["waiting"] == 0


def test_enable_removes_every_flag_and_nothing_else(world: World) -> None:
    path = world.env_file("A=1\nDO_NOT_TRACK=1\nexport X_DISABLE_TELEMETRY=yes\n# end\n")
    assert world.run("enable").code == 0
    assert path.read_text() == "A=1\n# end\n"


def test_enable_names_what_still_silences(world: World) -> None:
    world.environ["DO_NOT_TRACK"] = "1"
    done = world.run("enable")
    assert done.code == 1
    assert "telemetry is still off: a flag is set (DO_NOT_TRACK in the environment)" in done.err
    del world.environ["DO_NOT_TRACK"]
    path = world.env_file("A='unbalanced\n")
    done = world.run("enable")
    assert (done.code, f"({path}:1)" in done.err) == (1, True)


def test_enable_forgets_a_file_that_is_gone(world: World) -> None:
    path = world.env_file("")
    world.run("beat")
    path.unlink()
    assert world.run("status", "--json").json["rule"] == "gone"
    assert world.run("enable").code == 0
    assert world.run("status", "--json").json["rule"] == "no-flag"


def test_enable_makes_a_file_anew_that_the_service_would_miss(world: World) -> None:
    path = Path(world.situation.env_file_to_make)
    path.parent.mkdir(parents=True)
    path.write_text("A=1\n")
    path.chmod(0o600)
    world.run("beat")
    path.unlink()
    assert world.run("status", "--json").json["rule"] == "gone"
    assert world.run("enable").code == 0
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("\n", 0o600)
    assert world.run("status", "--json").json["rule"] == "no-flag"


@pytest.mark.parametrize(("choice", "value"), [("on", "true"), ("off", "false")])
def test_consent_is_kept_in_docker_env(world: World, choice: str, value: str) -> None:
    path = world.env_file("ROLLCALL_USAGE_TELEMETRY=ask\n")
    assert world.run("consent", "usage", choice).code == 0
    assert path.read_text() == f"ROLLCALL_USAGE_TELEMETRY={value}\n"
    assert world.run("status", "--json").json["usage"] is (choice == "on")


@pytest.mark.parametrize("how", ["consent", "by hand"])
def test_usage_events_that_wait_go_with_the_consent(world: World, how: str) -> None:
    path = world.env_file("ROLLCALL_USAGE_TELEMETRY=true\n")
    world.run("track", "Exported", "-p", "file=secret")
    world.run("beat")
    assert world.run("status", "--json").json["waiting"] == 2
    if how == "consent":
        assert world.run("consent", "usage", "off").code == 0
    else:
        path.write_text("ROLLCALL_USAGE_TELEMETRY=false\n")
        world.run("flush")
    assert world.run("status", "--json").json["waiting"] == 1
    assert b"secret" not in Path(world.state.outbox).read_bytes()


def test_usage_events_that_say_more_need_a_new_yes(world: World) -> None:
    """The vendor's next release raises ROLLCALL_USAGE_VERSION. Its own docker.env names the yes before."""
    path = world.env_file("ROLLCALL_USAGE_TELEMETRY=true\n")

    def tracked() -> object:
        assert world.run("track", "Exported").code == 0
        status = world.run("status", "--json").json
        assert status["usage"] is ("say more" not in world.run("status").out)
        return status["waiting"]

    assert tracked() == 1
    path.write_text(path.read_text() + "ROLLCALL_USAGE_VERSION=2\n")
    assert tracked() == 1, "what waits was agreed to and stays; nothing new is recorded"
    assert world.run("consent", "usage", "on").code == 0
    assert path.read_text().splitlines() == [
        "ROLLCALL_USAGE_TELEMETRY=true",
        "ROLLCALL_USAGE_VERSION=2",
        "ROLLCALL_USAGE_AGREED=2",
    ]
    assert tracked() == 2
    world.environ["ROLLCALL_USAGE_VERSION"] = "3"
    assert tracked() == 2
    world.environ["ROLLCALL_USAGE_AGREED"] = "2"
    done = world.run("consent", "usage", "on")
    assert (done.code, "ROLLCALL_USAGE_AGREED=2 in the environment overrides it" in done.err) == (1, True)


def test_consent_while_silent_says_that_nothing_is_sent_all_the_same(world: World) -> None:
    world.env_file(f"{FLAG}=true\n")
    assert "telemetry is off, so nothing is sent: a flag is set" in world.run("consent", "usage", "on").err


def test_disable_in_a_folder_says_what_it_does_not_reach(world: World) -> None:
    world.env_file("")
    assert "counts only for commands that run in its folder" in world.run("disable").err
    (world.cwd / "docker.env").unlink()
    assert "everywhere" not in world.run("disable").err


def test_consent_that_the_environment_overrules_is_said(world: World) -> None:
    world.env_file("")
    world.environ["ROLLCALL_USAGE_TELEMETRY"] = "false"
    done = world.run("consent", "usage", "on")
    assert done.code == 1
    assert "in the environment overrides it; change it there" in done.err
    assert world.run("consent", "usage", "off").code == 0


@pytest.mark.parametrize("verb", [["disable"], ["enable"], ["consent", "usage", "on"]])
@pytest.mark.parametrize("state", ["others may write", "no text", "directory"])
def test_a_file_that_is_not_ours_to_change_is_left_alone(world: World, verb: list[str], state: str) -> None:
    path = world.cwd / "docker.env"
    world.environ["ROLLCALL_ENV_FILE"] = "docker.env"
    if state == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"A=\xff\n" if state == "no text" else b"A=1\n")
        path.chmod(0o666 if state == "others may write" else 0o600)
    before = tree(world.path)
    done = world.run(*verb)
    assert done.code == 1
    assert "edit it by hand" in done.err
    assert tree(world.path) == before


def test_disable_with_a_setting_that_does_not_parse_is_off_all_the_same(world: World) -> None:
    world.run("beat")
    path = world.env_file("ROLLCALL_INTERVAL=soon\n")
    done = world.run("disable")
    assert done.code == 0
    assert "waiting events erased: 1" in done.err
    assert f"{FLAG}=true" in path.read_text()
    assert '"waiting"' not in world.run("log", "--json").out


@pytest.mark.needs("root")
@pytest.mark.parametrize("verb", ["forget", "disable", "beat", "enable"])
def test_root_follows_no_symlink_that_the_services_user_planted(open_world: World, verb: str) -> None:
    victims = open_world.path / "victims"
    victims.mkdir()
    state = StateDir(str(open_world.path / "state"))
    state.make()
    planted = [state.id, state.outbox, state.seen, state.due, state.lock, state.sender]
    for path in planted:
        victim = victims / os.path.basename(path)
        victim.write_text("root's")
        victim.chmod(0o600)
        os.symlink(victim, path)
    for path in [state.path, *planted]:
        os.lchown(path, 4242, 4242)
    before = {victim: victim.stat() for victim in victims.iterdir()}
    env = environ.bare(
        open_world.path / "home", ROLLCALL_STATE_DIR=state.path, ROLLCALL_ENV_FILE=str(open_world.cwd / "e")
    )
    run_verb(verb, env=env, cwd=open_world.cwd)
    assert {victim: victim.stat().st_mtime_ns for victim in victims.iterdir()} == {
        victim: found.st_mtime_ns for victim, found in before.items()
    }
    assert all(victim.read_text() == "root's" for victim in victims.iterdir())


@pytest.mark.needs("root")
def test_root_and_the_service_share_one_state(open_world: World) -> None:
    state = StateDir(str(open_world.path / "state"))
    state.make()
    os.chown(state.path, 4242, 4242)
    assert open_world.process("beat", ROLLCALL_STATE_DIR=state.path).code == 0
    assert {found.stat().st_uid for found in Path(state.path).iterdir()} == {4242}
    assert open_world.process("status", "--json", ROLLCALL_STATE_DIR=state.path).json["waiting"] == 1


def test_enable_names_a_setting_that_stops_other_verbs(world: World) -> None:
    world.env_file(f"{FLAG}=true\nROLLCALL_INTERVAL=6x\n")
    done = world.run("enable")
    assert (done.code, done.err.count("\n")) == (0, 1)
    assert "telemetry is on, but verbs end with an error until this is corrected" in done.err
    refusal = world.run("status")
    assert refusal.code == 2
    assert done.err.rstrip().endswith(refusal.err.strip().removeprefix("rollcall: "))
    assert "ROLLCALL_INTERVAL" in refusal.err

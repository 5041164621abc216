import os
import re
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent.events.catalogue import BUNDLE
from agent.outbox.bundles import bundles_address
from agent.outbox.outbox import Outbox
from tests.agent.world import FLAG, World, tree
from tests.parts import NOBODY

KEYS = ["sending", "rule", "source", "usage", "instanceId", "lastBeat", "nextBeat", "lastError", "endpoint"]
KEYS += ["waiting", "rejected", "dropped", "stateDir", "envFile", "product", "version"]


def record(
    world: World, number: int = 1, name: str = "Filled", endpoint: str = "", **properties: object
) -> None:
    with closing(Outbox(world.state, now=lambda: world.now)) as box:
        box.record({"messageId": f"m{number}", "event": name, "properties": properties}, endpoint)


@pytest.mark.parametrize("verb", ["status", "log", "preview"])
def test_looking_writes_nothing(world: World, verb: str) -> None:
    world.env_file("ROLLCALL_PRODUCT=Shop\n")
    before = tree(world.path)
    assert world.run(verb).code == 0
    record(world)
    between = {path: os.stat(world.path / path).st_mtime_ns for path in tree(world.path)}
    assert world.run(verb).code == 0
    assert {path: os.stat(world.path / path).st_mtime_ns for path in tree(world.path)} == between
    assert len(between) > len(before)  # the meter moves


def test_status_says_it_all_to_a_program(world: World) -> None:
    path = world.env_file(
        "ROLLCALL_ENDPOINT=https://api.example\nROLLCALL_PRODUCT=Shop\nROLLCALL_PRODUCT_VERSION=4.2\n"
    )
    record(world, 1, endpoint="https://api.example")
    record(world, 2, endpoint="https://old.example")
    shown = world.run("status", "--json").json
    assert list(shown) == KEYS
    assert shown == {
        **dict.fromkeys(KEYS),
        "sending": True,
        "rule": "no-flag",
        "usage": False,
        "endpoint": "https://api.example",
        "waiting": 2,
        "rejected": 0,
        "dropped": 0,
        "stateDir": world.state.path,
        "envFile": str(path),
        "product": "Shop",
        "version": "4.2",
    }


def test_the_docs_list_the_names() -> None:
    page = (Path(__file__).parents[3] / "docs/operations.md").read_text()
    listed = page.partition("Its names are ")[2].partition("(of")[0]
    assert re.findall(r"`(\w+)`", listed) == KEYS


def test_status_says_it_to_a_person_with_what_to_do_next(world: World) -> None:
    world.environ["ROLLCALL_ENDPOINT"] = "https://api.example"
    record(world, 2, endpoint="https://old.example")
    out = world.run("status").out
    assert "sending       yes, no flag is set" in out
    assert (
        "1, of which 1 for another endpoint (to take them out of the queue: rollcall export FILE --settle)"
        in out
    )
    assert "turn it off: rollcall disable" in out
    world.environ[FLAG] = "1"
    out = world.run("status").out
    assert f"sending       no, a flag is set ({FLAG} in the environment)" in out
    assert "turn it on" not in out, "enable takes no flag out of the environment"
    del world.environ[FLAG]
    world.env_file(f"{FLAG}=1\n")
    assert "turn it on: rollcall enable" in world.run("status").out


def test_messages_name_what_a_person_types_where_that_is_not_the_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.path / "rollcall.name").write_text("rollcall-demo\n")
    (world.path / "rollcall.command").write_text(".venv-demo/rollcall\n")
    monkeypatch.setattr(sys, "prefix", str(world.path))
    world.env_file(f"{FLAG}=1\n")
    assert "turn it on: .venv-demo/rollcall enable" in world.run("status").out
    assert (world.situation.name, world.situation.command) == ("rollcall-demo", ".venv-demo/rollcall")


def test_of_two_vendors_on_one_server_each_names_its_own_command(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.path / "rollcall.name").write_text("rollcall-shop\n")
    monkeypatch.setattr(sys, "prefix", str(world.path))
    world.environ |= {
        "ROLLCALL_STATE_DIR": str(world.path / "state"),
        "ROLLCALL_ENDPOINT": "https://new.example",
    }
    (world.root / "var/lib/rollcall-shop").mkdir(parents=True)
    record(world, endpoint="https://old.example")
    for argv in (["status"], ["status", "--help"], ["log"], ["disable"], ["enable"], ["dance"], ["--help"]):
        done = world.run(*argv)
        commands = re.findall(
            r"rollcall[\w-]* (?:status|log|preview|disable|enable|export|--)", done.out + done.err
        )
        assert commands, argv
        assert all(command.startswith("rollcall-shop ") for command in commands), done


def test_status_tells_the_last_beat_and_the_last_error(world: World) -> None:
    with closing(Outbox(world.state, now=lambda: world.now)) as box:
        box.record({"messageId": "m", "event": "Instance Active", "properties": {}}, "")
        box.note_failure("https://a.example", "503 Service Unavailable", world.now)
    world.environ["ROLLCALL_ENDPOINT"] = "https://a.example"
    shown = world.run("status", "--json").json
    assert shown["lastBeat"] == "2027-01-15T08:00:00.000Z"
    assert shown["lastError"] == "503 Service Unavailable (since 2027-01-15T08:00:00.000Z)"


def test_status_and_doctor_tell_why_a_bundle_waits_where_events_do_not(world: World) -> None:
    world.environ["ROLLCALL_ENDPOINT"] = endpoint = "https://a.example"
    with closing(Outbox(world.state, now=lambda: world.now)) as box:
        box.note_failure(bundles_address(endpoint), "404 Not Found", world.now)
    assert world.run("status", "--json").json["lastError"] is None, "no bundle is waiting"
    record(world, name=BUNDLE, endpoint=endpoint)
    why = "404 Not Found (since 2027-01-15T08:00:00.000Z)"
    assert world.run("status", "--json").json["lastError"] == why
    assert why in world.run("doctor").out
    with closing(Outbox(world.state, now=lambda: world.now)) as box:
        box.note_failure(endpoint, "503 Service Unavailable", world.now)
    assert str(world.run("status", "--json").json["lastError"]).startswith("503")


def test_status_of_a_database_that_cannot_be_read_is_still_a_status(world: World) -> None:
    world.state.make()
    Path(world.state.outbox).write_bytes(b"garbage" * 1000)
    done = world.run("status", "--json")
    assert done.code == 0
    assert "is damaged; with the next event it is renamed" in str(done.json["lastError"])
    assert "is damaged" in done.err


def test_a_fifo_in_the_place_of_the_due_time_hangs_nobody(world: World) -> None:
    world.state.make()
    os.mkfifo(world.state.due)
    assert world.run("status", "--json").json["nextBeat"] is None


def test_colors_are_for_terminals_that_want_them(world: World) -> None:
    assert "\x1b" not in world.run("status").out
    world.tty = True
    assert "\x1b[32myes\x1b[0m" in world.run("status").out
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        world.environ = {**world.environ, name: value}
        assert "\x1b" not in world.run("status").out
        del world.environ[name]


def test_a_file_whose_settings_do_not_count_is_named(world: World) -> None:
    path = world.env_file("ROLLCALL_PRODUCT=Shop\n")
    path.chmod(0o664)
    done = world.run("status")
    assert f"the settings in {path} are not used" in done.err
    assert "Shop" not in done.out


def test_status_of_an_ordinary_user_points_at_the_services_state(world: World) -> None:
    world.uid = 1000
    assert "the service keeps its state" not in world.run("status").err
    (world.root / "var/lib/rollcall").mkdir(parents=True)
    done = world.run("status")
    assert (
        "this is the state of your own user: what this user runs is reported under an id of its own;"
        f" the service keeps its state in {world.root}/var/lib/rollcall" in done.err
    )
    assert "sudo rollcall status" in done.err


def test_status_says_that_what_a_user_runs_is_not_reported_where_docker_env_is_for_root(world: World) -> None:
    (world.root / "var/lib/rollcall").mkdir(parents=True)
    file = world.root / "etc/rollcall/docker.env"
    file.mkdir(parents=True)  # stands for a file that may not be read: root may read any
    world.uid = 1000
    done = world.run("status")
    assert f"your own user: only root may read {file}, so nothing that this user runs is reported" in done.err
    assert f"endpoint      not known: only root may read {file}" in done.out
    assert "turn it on" not in done.out, "this user cannot"
    world.uid = 0
    world.environ["ROLLCALL_STATE_DIR"] = str(world.path / "state")
    done = world.run("status")
    assert "only root may read" not in done.err
    assert "this is the state that ROLLCALL_STATE_DIR names; the service keeps its state in" in done.err


@pytest.mark.parametrize("name", ["ROLLCALL_WRITE_KEY_FILE", "ROLLCALL_PROXY"])
def test_status_tells_that_the_key_or_the_proxy_cannot_be_read(world: World, name: str) -> None:
    file = world.path / "file"
    file.write_text("two words")
    path = world.env_file(f"ROLLCALL_ENDPOINT=https://api.example\n{name}={file}\n")
    record(world, endpoint="https://api.example")
    shown = world.run("status", "--json").json
    assert str(shown["lastError"]).startswith(f"{name} ({path}:2) is not valid: it takes the path of a file")
    file.write_text("http://127.0.0.1" if "PROXY" in name else "key")
    assert world.run("status", "--json").json["lastError"] is None


@pytest.mark.needs("root")
@pytest.mark.parametrize("verb", ["preview", "status", "log"])
def test_root_looks_as_the_state_directorys_owner(open_world: World, verb: str) -> None:
    state = open_world.path / "state"
    state.mkdir()
    secret = open_world.path / "roots.json"
    secret.write_text('{"instanceId": "11111111-2222-4333-8444-555555555555", "machine": null}')
    secret.chmod(0o600)
    (state / "instance.json").symlink_to(secret)
    assert "11111111" in open_world.process("preview", ROLLCALL_STATE_DIR=str(state)).out  # the meter moves
    os.chown(state, 4242, 4242)
    assert "11111111" not in open_world.process(verb, ROLLCALL_STATE_DIR=str(state)).out


@pytest.mark.needs("user")
def test_status_where_the_state_may_not_be_read_says_what_to_do(open_world: World) -> None:
    record(open_world)
    os.chmod(open_world.state.path, 0o700)
    words = "may not be read or written by this user; try it with sudo"
    assert words not in open_world.run("status").err  # and it is imported, which nobody may not do
    os.seteuid(NOBODY)
    try:
        done = open_world.run("status")
    finally:
        os.seteuid(0)
    assert words in done.err
    assert done.code == 0

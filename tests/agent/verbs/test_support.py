"""The verb `support`."""

import json

import pytest

from agent.events import catalogue
from tests.agent.runs.texts import RUN, run_text
from tests.agent.world import World


def fail(world: World) -> None:
    runs = world.path / "state" / "runs"
    runs.mkdir(parents=True)
    (runs / f"{RUN}.run").write_text(run_text("begun", "ended 1800000002.000 102.000 exit 3"))


@pytest.fixture
def world(world: World) -> World:
    world.environ["ROLLCALL_STATE_DIR"] = str(world.path / "state")
    return world


def names(world: World) -> list[str]:
    return [json.loads(line)["event"]["event"] for line in world.run("log", "--json").out.splitlines()]


def test_help_is_asked_for_with_an_address(world: World) -> None:
    fail(world)
    done = world.run("support", "--email", "me@example.org")
    assert (done.code, done.out) == (0, "")
    assert f"please quote {RUN[:8]}" in done.err
    assert names(world) == [catalogue.STARTED, catalogue.ERRORS, catalogue.SUPPORT]


@pytest.mark.parametrize(("address", "code"), [("nobody", 2), ("a@b", 2), ("", 2)])
def test_what_is_no_address_is_refused(world: World, address: str, code: int) -> None:
    fail(world)
    assert world.run("support", "--email", address).code == code
    assert names(world) == []


def test_without_a_failure_on_record_there_is_nothing_to_ask_for(world: World) -> None:
    assert world.run("support", "--email", "me@example.org").code == 1
    assert not (world.path / "state").exists()
    runs = world.path / "state" / "runs"
    runs.mkdir(parents=True)
    (runs / f"{RUN}.run").write_text(run_text("begun", "ended 1800000002.000 102.000 exit 0"))
    done = world.run("support", "--email", "me@example.org")
    assert (done.code, "no failed install" in done.err) == (1, True)
    assert names(world) == [catalogue.STARTED, catalogue.SUCCESS]


def test_silence_sends_no_address(world: World) -> None:
    fail(world)
    world.environ["DO_NOT_TRACK"] = "1"
    done = world.run("support", "--email", "me@example.org")
    assert (done.code, "telemetry is off" in done.err) == (1, True)
    assert names(world) == []


def test_without_a_terminal_nobody_is_asked(world: World) -> None:
    fail(world)
    done = world.run("support")
    assert (done.code, "--email ADDRESS" in done.err) == (2, True)

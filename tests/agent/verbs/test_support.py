"""The verb `support`."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agent.events import catalogue
from agent.outbox.outbox import Outbox
from tests.agent.runs.texts import RUN, run_text
from tests.agent.world import World
from tests.leftovers import end_senders
from tests.receiver import Receiver, answer
from tests.verbs import AGENT
from tests.wait import PATIENCE, until


def fail(world: World, **head: str) -> None:
    runs = world.path / "state" / "runs"
    runs.mkdir(parents=True)
    (runs / f"{RUN}.run").write_text(run_text("begun", "ended 1800000002.000 102.000 exit 3", **head))


@pytest.fixture
def world(world: World) -> Iterator[World]:
    world.environ["ROLLCALL_STATE_DIR"] = str(world.path / "state")
    yield world
    end_senders(world.path)


def states(world: World) -> list[str]:
    return [json.loads(line)["state"] for line in world.run("log", "--json").out.splitlines()]


def names(world: World) -> list[str]:
    return [json.loads(line)["event"]["event"] for line in world.run("log", "--json").out.splitlines()]


def test_help_is_asked_for_with_an_address(world: World) -> None:
    fail(world)
    done = world.run("support", "--email", "me@example.org")
    assert (done.code, done.out) == (0, "")
    assert f"please quote {RUN[:8]}" in done.err
    assert names(world) == [catalogue.STARTED, catalogue.ERRORS, catalogue.SUPPORT]


PATIENTLY = f"""
import sys
from agent.verbs import support
support.KNOWN_WITHIN = {PATIENCE / 2}
from agent.cli import main
sys.exit(main(sys.argv[1:]))
"""


def ask_patiently(world: World) -> subprocess.CompletedProcess[str]:
    """Ask for help, and wait for what becomes of it for as long as a busy machine needs."""
    return subprocess.run(
        [sys.executable, "-I", "-c", PATIENTLY, "support", "--email", "me@example.org"],
        env=world.real_environ(),
        cwd=world.cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_the_person_is_told_that_it_was_sent(world: World) -> None:
    with Receiver() as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        fail(world, endpoint=receiver.endpoint)
        done = ask_patiently(world)
        told = [event["event"] for request in receiver.requests for event in request.batch]
    assert (done.returncode, "the request was sent" in done.stderr) == (0, True), done.stderr
    assert told == [catalogue.STARTED, catalogue.ERRORS, catalogue.SUPPORT]


def test_the_person_is_told_why_it_waits_and_the_sender_goes_on(world: World) -> None:
    with Receiver(script=[answer(503)]) as receiver:
        world.environ["ROLLCALL_ENDPOINT"] = receiver.endpoint
        fail(world, endpoint=receiver.endpoint)
        done = ask_patiently(world)
        assert "is waiting: 503 Service Unavailable; it is tried again for three hours" in done.stderr
        until(lambda: len(receiver.requests) > 1, why="a second try, by itself")
        until(lambda: set(states(world)) == {"sent"})
    assert done.returncode == 0


def test_the_same_request_is_recorded_once(world: World) -> None:
    fail(world)
    for address in ("me@example.org", "me@example.org", "you@example.org"):
        done = world.run("support", "--email", address)
        assert f"please quote {RUN[:8]}" in done.err
    assert names(world).count(catalogue.SUPPORT) == 2


def test_where_no_endpoint_is_set_no_address_is_asked_for(world: World) -> None:
    fail(world, endpoint="")
    done = world.run("support")
    assert done.code == 1
    assert "no endpoint is set" in done.err
    assert "rollcall export FILE" in done.err
    assert "e-mail address" not in done.err


def test_where_no_endpoint_is_set_an_address_that_was_given_waits(world: World) -> None:
    fail(world, endpoint="")
    done = world.run("support", "--email", "me@example.org")
    assert (done.code, "is waiting: no endpoint is set" in done.err) == (0, True)
    assert names(world)[-1] == catalogue.SUPPORT


def test_a_request_for_an_endpoint_that_was_left_says_so(world: World) -> None:
    fail(world, endpoint="http://127.0.0.1:8")
    world.environ["ROLLCALL_ENDPOINT"] = "http://127.0.0.1:9"
    with contextlib.closing(Outbox(world.state)) as outbox:
        outbox.note_failure("http://127.0.0.1:9", "down", world.now + 60)
    done = world.process("support", "--email", "me@example.org")
    assert "recorded for http://127.0.0.1:8" in done.err


def test_a_request_that_this_caller_cannot_send_says_why(world: World) -> None:
    fail(world, endpoint="http://127.0.0.1:9")
    key = world.path / "key"
    key.write_text("two words")
    world.environ |= {"ROLLCALL_ENDPOINT": "http://127.0.0.1:9", "ROLLCALL_WRITE_KEY_FILE": str(key)}
    done = world.process("support", "--email", "me@example.org")
    assert done.code == 0
    assert "the request is waiting: ROLLCALL_WRITE_KEY_FILE (the environment) is not valid" in done.err
    assert names(world)[-1] == catalogue.SUPPORT


@pytest.mark.parametrize(("address", "code"), [("nobody", 2), ("a@b", 2), ("", 2)])
def test_what_is_no_address_is_refused(world: World, address: str, code: int) -> None:
    fail(world)
    assert world.run("support", "--email", address).code == code
    assert catalogue.SUPPORT not in names(world)


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
    assert catalogue.SUPPORT not in names(world)


def test_without_a_terminal_nobody_is_asked(world: World) -> None:
    fail(world)
    world.environ["ROLLCALL_ENDPOINT"] = "http://127.0.0.1:9"
    done = world.run("support")
    assert (done.code, "--email ADDRESS" in done.err) == (2, True)


def test_a_closed_stdin_is_no_terminal(world: World) -> None:
    fail(world)
    world.environ["ROLLCALL_ENDPOINT"] = "http://127.0.0.1:9"
    argv = ["sh", "-c", 'exec "$@" <&-', "x", *AGENT, "support"]
    done = subprocess.run(
        argv, cwd=world.cwd, env=world.real_environ(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "--email ADDRESS" in done.stderr) == (2, True), done


def test_a_request_says_what_the_install_was_for(world: World) -> None:
    fail(world, environment="dev")
    world.environ["CI"] = "1"
    world.run("support", "--email", "me@example.org")
    logged = [json.loads(line)["event"] for line in world.run("log", "--json").out.splitlines()]
    assert [event["context"]["installation"]["environment"] for event in logged] == ["dev"] * 3

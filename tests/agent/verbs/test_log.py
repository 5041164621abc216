import json
import sqlite3
from contextlib import closing

import pytest

from agent.outbox.outbox import Outbox
from tests.agent.verbs.test_status import record
from tests.agent.world import World


def test_log_shows_each_event_as_sent_and_what_became_of_it(world: World) -> None:
    record(world, 1, "Installation Started", "https://a.example", os="debian")
    record(world, 2, "Filled", x="\x1b[2J")
    with closing(Outbox(world.state, now=lambda: world.now + 60)) as box:
        box.settle([1], "sent")
        box.erase()
    lines = [json.loads(line) for line in world.run("log", "--json").out.splitlines()]
    assert lines == [
        {
            "state": "sent",
            "recordedAt": "2027-01-15T08:00:00.000Z",
            "settledAt": "2027-01-15T08:01:00.000Z",
            "endpoint": "https://a.example",
            "event": {"messageId": "m1", "event": "Installation Started", "properties": {"os": "debian"}},
        },
        {
            "state": "deleted",
            "recordedAt": "2027-01-15T08:00:00.000Z",
            "settledAt": "2027-01-15T08:01:00.000Z",
            "endpoint": None,
            "event": {"messageId": "m2", "event": "Filled"},
        },
    ]
    done = world.run("log")
    assert done.out.splitlines() == [
        '2027-01-15 08:00:00Z  sent      Installation Started    {"os": "debian"}',
        "2027-01-15 08:00:00Z  deleted   Filled",
    ]
    assert "rollcall log --json" in done.err
    assert len(world.run("log", "-n", "1").out.splitlines()) == 1
    assert world.run("log", "-n", "0").err == ""


@pytest.mark.parametrize("torn", ["'{torn'", "CAST(x'7bff' AS TEXT)", "'[1]'"])
def test_a_row_that_was_torn_on_disk_hides_no_other(world: World, torn: str) -> None:
    record(world, 1, "Filled", x="a")
    record(world, 2, "Filled", x="b")
    with closing(sqlite3.connect(world.state.outbox, isolation_level=None)) as db:
        db.execute(f"UPDATE event SET payload = {torn} WHERE seq = 1")
    lines = [json.loads(line)["event"] for line in world.run("log", "--json").out.splitlines()]
    assert lines == [
        {"messageId": "m1", "event": "Filled"},
        {"messageId": "m2", "event": "Filled", "properties": {"x": "b"}},
    ]
    assert [line.split()[3:] for line in world.run("log").out.splitlines()] == [
        ["Filled"],
        ["Filled", '{"x":', '"b"}'],
    ]


def test_nothing_recorded_can_steer_the_terminal(world: World) -> None:
    world.tty = True
    record(world, 1, "\x1b[2J\x07", x="\x1b]0;title\x07")
    out = world.run("log").out
    assert "\\x1b[2J\\x07" in out
    assert out.replace("\x1b[33m", "").replace("\x1b[0m", "").count("\x1b") == 0


def test_nothing_was_ever_recorded_is_said(world: World) -> None:
    assert world.run("log").err == f"rollcall: nothing has been recorded in {world.state.path}\n"
